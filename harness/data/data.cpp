#include "harness/data/data.h"

#include <unistd.h>

#include <torch/types.h>
#include <torch/utils.h>
#include <nlohmann/json.hpp>
#include <optional>

#include "harness/data/cache.h"
#include "harness/data/clean_subset.h"
#include "harness/data/csv_data.h"
#include "harness/data/emoji.h"
#include "harness/data/image.h"
#include "harness/data/pack.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr const char* kEmoji = "emoji";

struct CleanShare {
  double share = 0;
  void declare(ParamList& list) {
    list.add("clean_share", share, Range{0, 1}, "1", "share of the training pairs that no attack may touch", "ours");
  }
};

/// What decides the packed file: which of its pairs are trusted does not.
Json packed_config(Json effective) {
  effective.erase("clean_share");
  return effective;
}

fs::path packed_file(const Json& effective) {
  return effective.at("reader") == kEmoji ? emoji_file() : csv_file(packed_config(effective));
}

fs::path ensure(const Json& effective, const std::function<void(const fs::path&)>& whole, const Progress& progress) {
  const Reader read = [&](const fs::path& scratch) {
    return effective.at("reader") == kEmoji ? fetch_emoji(scratch, progress) : read_csv_data(packed_config(effective));
  };
  const auto file = packed_file(effective);
  ensure_packed(file, whole, read, progress);
  return file;
}

torch::Tensor part(const torch::Tensor& images, const Json& json) {
  return images.narrow(0, json.at("first_image"), static_cast<std::int64_t>(json.at("captions").size()));
}

LabelledImages labelled(const torch::Tensor& images, const Json& json) {
  return {tensor_pairs(part(images, json), json.at("captions")),
          torch::tensor(json.at("labels").get<std::vector<std::int64_t>>(), torch::kInt64)};
}

/// The images of a packed file at another resolution: made once, kept beside it and mapped from then on, so that the
/// workers of a run share them.
torch::Tensor resized(const fs::path& file, const Pack& pack, std::int64_t image_px) {
  if (pack.images.size(2) == image_px) return pack.images;
  const fs::path beside = file.parent_path() / (file.stem().string() + "-" + std::to_string(image_px) + "px.pack");
  const auto open = [&] {
    const Pack small = open_pack(beside);
    if (small.metadata.at("resized_from") != pack.checksum) throw Error(ErrorKind::kData, "of other data");
    return small.images;
  };
  try {
    if (fs::exists(beside)) return open();
  } catch (const std::exception&) {  // damaged, or of data that has changed since: made again
  }
  const auto images = resize_images(pack.images, image_px);
  const fs::path draft = beside.string() + ".tmp" + std::to_string(::getpid());
  try {
    PackWriter writer(draft, image_px);
    for (std::int64_t i = 0; i < images.size(0); ++i) writer.append(images[i]);
    writer.finish({{"resized_from", pack.checksum}});
    fs::rename(draft, beside);
    return open();
  } catch (const std::exception&) {  // a cache that cannot be written only costs time
    std::error_code ignored;
    fs::remove(draft, ignored);
    return images;
  }
}

}  // namespace

Json effective_data(const Json& data, const fs::path& base, const std::string& where) {
  Json object = data.is_string() ? Json{{"reader", data}} : data;
  const std::string key = data.is_string() ? where : where + "/reader";
  if (!object.is_object() || !object.contains("reader") || !object["reader"].is_string()) {
    throw Error(ErrorKind::kMatrix,
                where + R"(: expected "emoji" or an object {"reader": "csv", "pairs": ...}, got )" + data.dump());
  }
  const auto reader = object["reader"].get<std::string>();
  CleanShare trusted{reader == kEmoji ? kEmojiCleanShare : 0};
  if (object.contains("clean_share")) {
    trusted = read_params(Json{{"clean_share", object["clean_share"]}}, where, trusted);
    object.erase("clean_share");
  }
  const auto effective = [&](Json rest) {
    rest["clean_share"] = trusted.share;
    return rest;
  };
  if (reader == "csv") return effective(effective_csv(object, base, where));
  if (reader != kEmoji) {
    throw Error(ErrorKind::kMatrix, key + ": unknown data set \"" + reader + "\"" +
                                        did_you_mean(reader, {kEmoji, "csv"}) + " (known: emoji, csv)");
  }
  if (object.size() > 1) {
    throw Error(ErrorKind::kMatrix, where + ": \"emoji\" has no other keys than \"clean_share\", got " + object.dump());
  }
  return effective(object);
}

fs::path prepare_data(const Json& effective, const Progress& progress) {
  const auto file = ensure(effective, &verify_pack, progress);
  const Pack pack = open_pack(file);
  for (const Json& skipped : pack.metadata.at("skipped")) {
    std::string names;
    for (const Json& name : skipped.at("first")) names += (names.empty() ? "" : ", ") + name.get<std::string>();
    const auto count = skipped.at("count").get<std::size_t>();
    const bool more = count > skipped.at("first").size();
    progress("left out " + std::to_string(count) + " (" + skipped.at("reason").get<std::string>() + "): " + names +
                 (more ? ", ..." : ""),
             0, 0);
  }
  return file;
}

bool is_prepared(const Json& effective) { return fs::exists(packed_file(effective)); }

Dataset load_data(const Json& effective, std::int64_t image_px, const Progress& progress) {
  std::optional<Pack> opened;  // at once: a cache may be deleted at any moment
  const auto file = ensure(
      effective, [&](const fs::path& whole) { opened = open_pack(whole); }, progress);
  const Pack pack = opened ? *std::move(opened) : open_pack(file);
  const Json& json = pack.metadata;
  const auto images = resized(file, pack, image_px);
  Dataset data{.name = json.at("name"),
               .hash = pack.checksum,
               .train = tensor_pairs(part(images, json.at("train")), json.at("train").at("captions")),
               .probe = labelled(images, json.at("probe")),
               .held_out = labelled(images, json.at("held_out")),
               .classes = {}};
  data.clean_subset = clean_subset(data.train->size(), effective.value("clean_share", 0.0));
  for (const Json& info : json.at("classes")) data.classes.push_back({info.at("name"), info.at("prompts")});
  return data;
}

std::vector<DataInfo> list_data() {
  DataInfo info;
  info.name = kEmoji;
  info.summary = "drawings of about 1,900 emoji in eight styles; six to train on, two held out";
  info.file = emoji_file();
  try {
    const Json json = open_pack(info.file).metadata;
    const auto size = [&](const char* key) { return static_cast<std::int64_t>(json.at(key).at("captions").size()); };
    info.pairs = size("train");
    info.held_out = size("held_out");
    info.classes = static_cast<std::int64_t>(json.at("classes").size());
    info.prepared = true;
  } catch (const Error&) {  // missing or damaged: not prepared
  }
  return {info};
}

}  // namespace roclip::bench
