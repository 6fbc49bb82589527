#include "harness/model/clip.h"

#include <cmath>
#include <functional>

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/model/batch_norm.h"
#include "harness/model/recompute.h"
#include "harness/model/towers.h"
#include "harness/record/files.h"
#include "harness/record/torch_compat.h"

namespace roclip::bench {

namespace {

const double kMaxLogitScale = std::log(100.0);

std::shared_ptr<ImageTower> make_image_tower(const ModelSpec& spec) {
  if (const auto* conv = std::get_if<ConvSpec>(&spec.image)) return make_conv_tower(*conv);
  if (const auto* resnet = std::get_if<ResNetSpec>(&spec.image)) return make_resnet_tower(*resnet, spec.image_px);
  return make_vit_tower(std::get<VitSpec>(spec.image), spec.image_px);
}

class Clip final : public TrainableClip {
 public:
  Clip(const ModelSpec& spec, std::shared_ptr<const Tokenizer> tokenizer, torch::Device device)
      : spec_(spec),
        tokenizer_(std::move(tokenizer)),
        device_(device),
        image_tower_(parts_.register_module("visual", make_image_tower(spec))),
        text_tower_(parts_.register_module("text", make_text_tower(spec.text, tokenizer_->ids()))) {
    image_tower_->add_projection(spec.embedding_dim);
    text_tower_->add_projection(spec.embedding_dim);
    const auto initial = torch::full({}, std::log(1 / spec.initial_temperature));
    logit_scale_ = parts_.register_parameter("logit_scale", initial);
    parts_.to(device_);
  }

  torch::Tensor image_features(const torch::Tensor& pixels) override {
    return shared_out([this](const torch::Tensor& rows) { return image_tower_->features(rows).to(torch::kFloat); },
                      pixels);
  }
  torch::Tensor encode_image(const torch::Tensor& pixels) override { return encode(*image_tower_, pixels); }
  torch::Tensor encode_text(const torch::Tensor& tokens) override { return encode(*text_tower_, tokens); }
  torch::Tensor image_parts(const torch::Tensor& pixels) override {
    const auto parts = [this](const torch::Tensor& rows) {
      const auto places = image_tower_->places(rows);  // [B, T, F]
      return unit_rows_f32(image_tower_->project(places.flatten(0, 1))).view({places.size(0), -1, spec_.embedding_dim});
    };
    return shared_out(parts, pixels);
  }
  torch::Tensor text_parts(const torch::Tensor& tokens) override {
    const auto parts = [this](const torch::Tensor& rows) {
      const auto packing = pack(rows != 0);
      const auto words = unit_rows_f32(text_tower_->project(text_tower_->words(rows, packing)));  // [T, D]
      const auto padded = torch::zeros({rows.numel(), words.size(1)}, words.options());
      const auto filled = padded.index_copy(0, packing.rows, words).view({rows.size(0), rows.size(1), -1});
      return packing.has_padding() ? filled * packing.is_token.unsqueeze(2) : filled;
    };
    return shared_out(parts, tokens);
  }
  torch::Tensor logit_scale() override { return use_.ranks->used_by_all(logit_scale_).exp(); }
  torch::Tensor tokenize(std::span<const std::string> captions) const override {
    const auto context = spec_.text.context_length;
    const auto tokens = tokenizer_->tokenize(captions, context);
    return device_.is_cpu() ? tokens : in_few_widths(tokens, context);
  }
  std::int64_t embedding_dim() const override { return spec_.embedding_dim; }
  torch::Device device() const override { return device_; }
  void train(bool on) override {
    image_tower_->train(on && use_.image_rate > 0);
    text_tower_->train(on && use_.text_rate > 0);
  }

  std::vector<torch::Tensor> trainable() override {
    auto parameters = parts_.parameters();
    std::erase_if(parameters, [](const torch::Tensor& parameter) { return !parameter.requires_grad(); });
    return parameters;
  }
  void use(const ModelUse& use) override {
    use_ = use;
    image_tower_->recompute_layers(use.recompute_layers);
    text_tower_->recompute_layers(use.recompute_layers);
    for (const auto& module : parts_.modules(/*include_self=*/false)) {
      if (auto* norm = module->as<BatchNorm>()) norm->over(*use.ranks);
    }
    for (auto& parameter : image_tower_->parameters()) parameter.requires_grad_(use.image_rate > 0);
    for (auto& parameter : text_tower_->parameters()) parameter.requires_grad_(use.text_rate > 0);
  }
  std::vector<double> rates() override {
    std::vector<double> rates;
    for (const auto& entry : parts_.named_parameters()) {
      if (!entry.value().requires_grad()) continue;
      const bool image = entry.key().starts_with("visual."), text = entry.key().starts_with("text.");
      rates.push_back(image ? use_.image_rate : text ? use_.text_rate : 1);
    }
    return rates;
  }
  std::vector<torch::Tensor> buffers() override { return parts_.buffers(); }
  std::map<std::string, torch::Tensor> weights() override {
    std::map<std::string, torch::Tensor> weights;
    const auto add = [&](const std::string& name, const torch::Tensor& tensor) {
      // open_clip keeps the text tower at the root, and both projections as [F, D] without ".weight".
      const std::string prefix = "text.", weight = ".weight";
      auto key = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
      const bool transposed = key == "visual.proj.weight" || key == "text_projection.weight";
      if (transposed) key.resize(key.size() - weight.size());
      weights.emplace(key, transposed ? tensor.t() : tensor);
    };
    for (const auto& entry : parts_.named_parameters()) add(entry.key(), entry.value());
    for (const auto& entry : parts_.named_buffers()) add(entry.key(), entry.value());
    return weights;
  }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  void clamp_logit_scale() override {
    const torch::NoGradGuard no_grad;
    logit_scale_.clamp_(0, kMaxLogitScale);
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
  static torch::Tensor unit_rows_f32(const torch::Tensor& rows) { return unit_rows(rows.to(torch::kFloat)); }

  /// A function of a tower, in the precision that is wanted; with ranks, on the rows of each.
  torch::Tensor shared_out(const std::function<torch::Tensor(const torch::Tensor&)>& f, const torch::Tensor& input) {
    const Autocast autocast(device_, use_.bf16);
    return use_.ranks->shared_out(f, input);
  }

  /// @param input of the tower
  template <class T>
  torch::Tensor encode(T& tower, const torch::Tensor& input) {
    const auto rows = [&tower](const torch::Tensor& part) {
      return unit_rows_f32(tower.project(tower.features(part)));
    };
    const auto whole = [this, rows](const torch::Tensor& part) { return shared_out(rows, part); };
    if (use_.micro_batch == 0 || input.size(0) <= use_.micro_batch) return whole(input);
    std::vector<torch::Tensor> parts;
    for (const auto& part : input.split(use_.micro_batch)) {
      parts.push_back(recomputed(whole, part, tower));
    }
    return torch::cat(parts);
  }

  ModelSpec spec_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  torch::Device device_;
  torch::nn::Module parts_;
  std::shared_ptr<ImageTower> image_tower_;
  std::shared_ptr<TextTower> text_tower_;
  torch::Tensor logit_scale_;  ///< its logarithm
  ModelUse use_;
};

}  // namespace

torch::Tensor normalised(const torch::Tensor& pixels, const PixelNorm& norm) {
  const auto channel = [&](const std::array<double, 3>& values) {
    return to_device(torch::tensor(at::ArrayRef<double>(values), torch::kFloat), pixels.device()).view({3, 1, 1});
  };
  return (pixels - channel(norm.mean)) / channel(norm.deviation);
}

std::unique_ptr<TrainableClip> make_clip(const ModelSpec& spec, std::shared_ptr<const Tokenizer> tokenizer,
                                         std::uint64_t seed, torch::Device device) {
  torch::manual_seed(seed);  // torch's initialisers draw from the global CPU generator
  return std::make_unique<Clip>(spec, std::move(tokenizer), device);
}

std::int64_t parameter_count(TrainableClip& model) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : model.weights()) count += tensor.numel();
  for (const auto& buffer : model.buffers()) count -= buffer.numel();
  return count;
}

}  // namespace roclip::bench
