#include "harness/model/clip.h"

#include <algorithm>
#include <cmath>

#include <boost/algorithm/string/join.hpp>

#include "harness/model/towers.h"
#include "harness/record/files.h"
#include "harness/record/paths.h"

namespace roclip::bench {

namespace nn = torch::nn;

namespace {

const double kMaxLogitScale = std::log(100.0);

class Clip final : public TrainableClip {
 public:
  Clip(const ModelParams& params, std::shared_ptr<const Vocabulary> vocabulary, torch::Device device)
      : params_(params),
        vocabulary_(std::move(vocabulary)),
        device_(device),
        image_tower_(parts_.register_module("image", ImageTower(params))),
        text_tower_(parts_.register_module("text", TextTower(params, vocabulary_->size()))),
        image_projection_(parts_.register_module("image_projection", projection(params.stage_widths.back()))),
        text_projection_(parts_.register_module("text_projection", projection(params.text_width))) {
    const auto initial = torch::full({}, std::log(1 / params.initial_temperature));
    log_logit_scale_ = parts_.register_parameter("log_logit_scale", initial);
    parts_.to(device_);
  }

  torch::Tensor image_features(const torch::Tensor& pixels) override { return image_tower_(pixels); }
  torch::Tensor encode_image(const torch::Tensor& pixels) override {
    return unit_rows(image_projection_(image_tower_(pixels)));
  }
  torch::Tensor encode_text(const torch::Tensor& tokens) override {
    return unit_rows(text_projection_(text_tower_(tokens)));
  }
  torch::Tensor image_parts(const torch::Tensor& pixels) override {
    const auto places = image_tower_->places(pixels);  // [B, H', W', F]
    return unit_rows(image_projection_(places.flatten(0, 2))).view({places.size(0), -1, params_.embedding_dim});
  }
  torch::Tensor text_parts(const torch::Tensor& tokens) override {
    const auto packing = pack(tokens != Vocabulary::kPadding);
    const auto words = unit_rows(text_projection_(text_tower_->words(tokens, packing)));  // [T, D]
    const auto padded = torch::zeros({tokens.numel(), words.size(1)}, words.options());
    return padded.index_copy(0, packing.rows, words).view({tokens.size(0), tokens.size(1), -1});
  }
  torch::Tensor logit_scale() override { return log_logit_scale_.exp(); }
  torch::Tensor tokenize(std::span<const std::string> captions) const override {
    return vocabulary_->tokenize(captions, params_.context_length);
  }
  std::int64_t embedding_dim() const override { return params_.embedding_dim; }
  torch::Device device() const override { return device_; }
  void train(bool on) override { parts_.train(on); }

  std::vector<torch::Tensor> trainable() override { return parts_.parameters(); }
  std::vector<torch::Tensor> buffers() override { return parts_.buffers(); }
  void clamp_logit_scale() override {
    const torch::NoGradGuard no_grad;
    log_logit_scale_.clamp_(0, kMaxLogitScale);
  }
  std::string weights_hash() const override {
    std::string hashes;
    for (const auto& list : {parts_.parameters(), parts_.buffers()}) {
      for (const auto& tensor : list) {
        const auto bytes = tensor.detach().cpu().contiguous();
        hashes += hash_hex({static_cast<const char*>(bytes.data_ptr()), bytes.nbytes()});
      }
    }
    return hash_hex(hashes);
  }

 private:
  nn::Linear projection(std::int64_t width) const {
    return nn::Linear(nn::LinearOptions(width, params_.embedding_dim).bias(false));
  }

  ModelParams params_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  torch::Device device_;
  nn::Module parts_;
  ImageTower image_tower_;
  TextTower text_tower_;
  nn::Linear image_projection_, text_projection_;
  torch::Tensor log_logit_scale_;
};

std::filesystem::path presets_dir() { return share_dir() / "models"; }

}  // namespace

void ModelParams::declare(ParamList& list) {
  const char* source = "tuned on emoji, see results/emoji-quick";
  list.add("image_px", image_px, Range{8, 1024}, "px", "side of the square input", source);
  list.add("embedding_dim", embedding_dim, Range{2, 4096}, "1", "D, of the shared space", source);
  list.add("stem_kernel_px", stem_kernel_px, Range{1, 32}, "px", "first convolution", source);
  list.add("stem_stride_px", stem_stride_px, Range{1, 32}, "px", "first convolution; at most the kernel", source);
  list.add("stage_widths", stage_widths, Range{4, 4096}, "channels", "one a stage; the last is F", source);
  list.add("stage_blocks", stage_blocks, Range{0, 64}, "blocks", "residual blocks, one number a stage", source);
  list.add("text_width", text_width, Range{4, 4096}, "1", "of the transformer; divisible by text_heads", source);
  list.add("text_layers", text_layers, Range{0, 48}, "layers", "of the transformer", source);
  list.add("text_heads", text_heads, Range{1, 64}, "heads", "of the attention", source);
  list.add("text_mlp_ratio", text_mlp_ratio, Range{1, 8}, "1", "hidden width of the MLP over text_width", source);
  list.add("context_length", context_length, Range{1, 256}, "words", "longer captions are cut", source);
  list.add("vocabulary_min_count", vocabulary_min_count, Range{1, 1000}, "1", "rarer words are unknown", source);
  list.add("initial_temperature", initial_temperature, Range{0.01, 1}, "1", "1 / logit scale at the start",
           "Radford et al. 2021");
}

std::vector<std::string> model_presets() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(presets_dir())) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  }
  std::ranges::sort(names);
  return names;
}

ModelParams model_params(const Json& model, const std::string& where) {
  if (!model.is_string() && !model.is_object()) {
    throw Error(ErrorKind::kMatrix, where + ": expected a preset's name or an object, got " + model.dump());
  }
  Json own = model.is_object() ? model : Json::object();
  const Json preset = model.is_string() ? model : own.value("preset", Json("tiny"));
  own.erase("preset");
  const auto presets = model_presets();
  if (!preset.is_string() || std::ranges::find(presets, preset.get<std::string>()) == presets.end()) {
    const auto name = preset.is_string() ? preset.get<std::string>() : preset.dump();
    throw Error(ErrorKind::kMatrix, where + ": unknown model preset \"" + name + "\"" + did_you_mean(name, presets) +
                                        " (known: " + boost::join(presets, ", ") + ")");
  }
  const auto file = presets_dir() / (preset.get<std::string>() + ".json");
  const auto params = read_params(own, where, read_params<ModelParams>(read_json(file), file.string()));
  const auto refuse = [&](const std::string& why) { throw Error(ErrorKind::kMatrix, where + why); };
  if (params.stage_widths.empty() || params.stage_widths.size() != params.stage_blocks.size()) {
    refuse("/stage_blocks: expected as many numbers as stage_widths has, at least one");
  }
  if (params.stem_stride_px > params.stem_kernel_px) refuse("/stem_stride_px: expected at most stem_kernel_px");
  if (params.text_width % params.text_heads != 0) refuse("/text_width: expected a multiple of text_heads");
  if (params.image_px >> (params.stage_widths.size() - 1) < params.stem_stride_px) {
    refuse("/stage_widths: too many stages for images of " + std::to_string(params.image_px) + " px");
  }
  return params;
}

std::unique_ptr<TrainableClip> make_clip(const ModelParams& params, std::shared_ptr<const Vocabulary> vocabulary,
                                         std::uint64_t seed, torch::Device device) {
  torch::manual_seed(seed);  // torch's initialisers draw from the global CPU generator
  return std::make_unique<Clip>(params, std::move(vocabulary), device);
}

std::int64_t parameter_count(TrainableClip& model) {
  std::int64_t count = 0;
  for (const auto& parameter : model.trainable()) count += parameter.numel();
  return count;
}

}  // namespace roclip::bench
