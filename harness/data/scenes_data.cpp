#include "harness/data/scenes_data.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/scenes.h"
#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

struct SceneParams {
  std::int64_t pairs = 1000000, held_out = 2000, probe = 8000;
  std::int64_t image_px = 32;
  std::int64_t seed = 1;
  double wrong_share = 0.05, noise_share = 0.2;

  void declare(ParamList& list) {
    list.add("pairs", pairs, Range{1, 1000000000}, "pairs", "training pairs", "ours");
    list.add("held_out", held_out, Range{1, 10000000}, "images", "labelled, in styles that are not trained on", "ours");
    list.add("probe", probe, Range{1, 10000000}, "images", "labelled, for the linear probe", "ours");
    list.add("image_px", image_px, Range{16, 80}, "px", "side; a multiple of 8", "ours");
    list.add("seed", seed, Range{0, 1e15}, "1", "of all scenes", "ours");
    list.add("wrong_share", wrong_share, Range{0, 1}, "1", "of the captions name another thing than there is", "ours");
    list.add("noise_share", noise_share, Range{0, 1}, "1", "of the captions end in words that say nothing", "ours");
  }
};
SceneParams scene_params(Json effective) {
  effective.erase("reader");
  effective.erase("clean_share");
  return read_params<SceneParams>(effective, "data");
}

/// All scenes of these options, each with the class of its first thing.
LabelledImages labelled_scenes(const std::shared_ptr<const Sprites>& sprites, const SceneOptions& options) {
  const auto scenes = std::make_shared<const Scenes>(sprites, options);
  auto labels = torch::empty({scenes->size()}, torch::kInt64);
  for (std::int64_t i = 0; i < scenes->size(); ++i) labels.data_ptr<std::int64_t>()[i] = scenes->label(i);
  return {scenes, labels};
}

}  // namespace

Json effective_scenes(const Json& data, const std::string& where) {
  Json own = data;
  own.erase("reader");
  const auto params = read_params<SceneParams>(own, where);
  if (params.image_px % 8 != 0) {
    throw Error(ErrorKind::kMatrix,
                where + "/image_px: expected a multiple of 8, got " + std::to_string(params.image_px));
  }
  Json whole = write_params(params);
  whole["reader"] = "scenes";
  return whole;
}

void check_scenes_px(const Json& effective, std::int64_t image_px) {
  const auto drawn = scene_params(effective).image_px;
  if (drawn == image_px) return;
  throw Error(ErrorKind::kMatrix, "data/image_px: scenes are drawn at the size that the model takes, " +
                                      std::to_string(image_px) + " px; got " + std::to_string(drawn));
}

LoadedData make_scenes(const Json& effective, const SizedPack& opened) {
  const auto params = scene_params(effective);
  const Json& json = opened.pack.metadata;
  auto sprites = std::make_shared<Sprites>();
  sprites->sizes = opened.images;
  sprites->classes = classes_of(json);
  const auto add = [&](const Json& part, const Json& labels) {
    const Json& meanings = part.at("captions");
    for (std::size_t i = 0; i < meanings.size(); i += 2) {  // on white, on black
      sprites->nouns.push_back(
          make_noun(meanings[i], i < labels.size() ? labels[i].get<std::int64_t>() : Sprites::kNoLabel));
    }
    return static_cast<std::int64_t>(sprites->nouns.size());
  };
  const auto trained = add(json.at("train"), json.at("probe").at("labels"));  // which are those of its first images
  const auto all = add(json.at("held_out"), json.at("held_out").at("labels"));
  const auto pairs = sprites->sizes[0].view({all, 2, -1});
  if ((pairs.select(1, 0) < pairs.select(1, 1)).any().item<bool>()) {
    throw Error(ErrorKind::kData,
                "a sprite is brighter on black than on white: the prepared file is not what it should be; "
                "roclip-bench data clean --all, then run again");
  }
  const auto seed = static_cast<std::uint64_t>(params.seed);
  LoadedData data;
  data.name = "scenes";
  data.hash = hash_hex(effective.dump() + opened.pack.checksum);
  data.train = std::make_shared<const Scenes>(sprites, SceneOptions{.pairs = params.pairs,
                                                                    .image_px = params.image_px,
                                                                    .seed = seed,
                                                                    .wrong_share = params.wrong_share,
                                                                    .noise_share = params.noise_share,
                                                                    .last = trained});
  SceneOptions labelled{.pairs = params.probe,
                        .image_px = params.image_px,
                        .seed = stream(seed, "probe"),
                        .labelled = true,
                        .last = trained};
  data.probe = labelled_scenes(sprites, labelled);
  labelled.pairs = params.held_out;
  labelled.seed = stream(seed, "held out");
  labelled.first = trained;
  labelled.last = all;
  data.held_out = labelled_scenes(sprites, labelled);
  data.classes = sprites->classes;
  data.record = {
      {"hash", data.hash}, {"pairs", params.pairs}, {"rows", Json::object()}, {"left_out", json.at("skipped")}};
  return data;
}

}  // namespace roclip::bench
