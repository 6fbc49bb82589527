#include <algorithm>
#include <filesystem>
#include <sstream>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/image.h"
#include "harness/data/resample.h"
#include "harness/engine/commands.h"
#include "harness/model/vocabulary.h"
#include "harness/model/weights.h"
#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_regular_file(error)) files.push_back(entry.path());
  }
  if (error) refuse(folder, error.message());
  if (files.empty()) throw Error(ErrorKind::kData, folder.string() + ": expected images, found no file");
  std::ranges::sort(files);
  return files;
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::istringstream content(read_file(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(content, line);) lines.push_back(line);
  if (lines.empty()) throw Error(ErrorKind::kData, file.string() + ": expected a caption a line, found none");
  return lines;
}

/// f32 [N, D]
torch::Tensor embed_files(ClipModel& model, const std::vector<fs::path>& files, std::int64_t px) {
  constexpr std::size_t kAtOnce = 256;  // pictures in memory
  std::vector<torch::Tensor> embeddings, images;
  for (const auto& file : files) {
    try {
      const auto square = centre_square(decode_rgb(image_file(file)), px);
      images.push_back(torch::from_blob(square.data, {px, px, 3}, torch::kUInt8).permute({2, 0, 1}).clone());
    } catch (const Error& e) {
      throw Error(e.kind(), file.string() + ": " + e.what());
    }
    if (images.size() < kAtOnce && &file != &files.back()) continue;
    embeddings.push_back(embed_images(model, torch::stack(images)));
    images.clear();
  }
  return torch::cat(embeddings);
}

DescribedModel model_of(const Json& task) {
  Json named = task.at("model");
  const std::string merges = task.at("merges"), weights = task.at("weights");
  if (named == "") return load_model(weights, merges);
  if (!merges.empty()) named = {{"preset", named}, {"merges", merges}};
  const auto spec = model_spec(effective_model(named, ".", "--model"));
  if (spec.tokenizer.kind != TokenizerSpec::Kind::kOpenAi) {
    throw Error(ErrorKind::kUsage,
                "--model: expected a model with OpenAI's tokenizer, got one whose tokens a study makes; leave --model "
                "out, for the weights of a study say which model they are of");
  }
  auto model = make_clip(spec, restore_tokenizer(spec.tokenizer, nullptr), /*seed=*/0, torch::kCPU);
  load_weights(weights, *model);
  model->train(false);
  return {spec, std::move(model)};
}

}  // namespace

int embed(const Json& task) {
  const auto [spec, model] = model_of(task);
  std::map<std::string, torch::Tensor> embeddings;
  if (const std::string folder = task.at("images"); !folder.empty()) {
    embeddings["image"] = embed_files(*model, files_in(folder), spec.image_px);
  }
  if (const std::string file = task.at("captions"); !file.empty()) {
    embeddings["text"] = embed_captions(*model, lines_of(file));
  }
  if (embeddings.empty()) throw Error(ErrorKind::kUsage, "embed: give --images, --captions, or both");
  write_safetensors(task.at("out").get<std::string>(), embeddings);
  return 0;
}

}  // namespace roclip::bench
