#include "roclip/clip_model.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

constexpr std::int64_t kEvalBatch = 256;

/// Applies `encode` to slices [begin, end) of n items, without gradient, and gathers the rows on the CPU.
template <class Encode>
torch::Tensor in_batches(std::int64_t n, Encode encode) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> rows;
  for (std::int64_t begin = 0; begin < n; begin += kEvalBatch) {
    rows.push_back(encode(begin, std::min(n, begin + kEvalBatch)).cpu());
  }
  return torch::cat(rows);
}

}  // namespace

torch::Tensor unit_rows(const torch::Tensor& rows) {
  constexpr double kTiny = 1e-12;  // a zero row stays zero
  return rows / rows.norm(2, /*dim=*/1, /*keepdim=*/true).clamp_min(kTiny);
}

torch::Tensor clip_loss(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& logit_scale) {
  const auto logits = logit_scale * a.matmul(b.t());  // [B, B], row i = similarities of a_i
  const auto own = torch::arange(a.size(0), torch::TensorOptions().dtype(torch::kLong).device(a.device()));
  return (torch::cross_entropy_loss(logits, own) + torch::cross_entropy_loss(logits.t(), own)) / 2;
}

torch::Tensor to_device(const torch::Tensor& tensor, torch::Device device) {
  return tensor.to(device, /*non_blocking=*/true);
}

torch::Tensor to_pixels(const torch::Tensor& images, torch::Device device) {
  return to_device(images, device).to(torch::kFloat32).div_(255.0);
}

torch::Tensor embed_images(ClipModel& model, const torch::Tensor& images) {
  return in_batches(images.size(0), [&](std::int64_t begin, std::int64_t end) {
    return model.encode_image(to_pixels(images.slice(0, begin, end), model.device()));
  });
}

torch::Tensor embed_images(ClipModel& model, const PairSource& pairs, const torch::Tensor& indices) {
  return in_batches(indices.numel(), [&](std::int64_t begin, std::int64_t end) {
    return model.encode_image(to_pixels(pairs.images(indices.slice(0, begin, end)), model.device()));
  });
}

torch::Tensor image_features(ClipModel& model, const PairSource& pairs, const torch::Tensor& indices) {
  return in_batches(indices.numel(), [&](std::int64_t begin, std::int64_t end) {
    return model.image_features(to_pixels(pairs.images(indices.slice(0, begin, end)), model.device()));
  });
}

torch::Tensor embed_captions(ClipModel& model, const PairSource& pairs, const torch::Tensor& indices) {
  std::vector<std::string> captions;
  for (const auto index : std::span(indices.data_ptr<std::int64_t>(), static_cast<std::size_t>(indices.numel()))) {
    captions.push_back(pairs.caption(index));
  }
  return embed_captions(model, captions);
}

torch::Tensor embed_captions(ClipModel& model, std::span<const std::string> captions) {
  return in_batches(static_cast<std::int64_t>(captions.size()), [&](std::int64_t begin, std::int64_t end) {
    const auto slice = captions.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    return model.encode_text(to_device(model.tokenize(slice), model.device()));
  });
}

torch::Tensor class_embeddings(ClipModel& model, const std::vector<ClassInfo>& classes) {
  std::vector<torch::Tensor> rows;
  for (const auto& info : classes) {
    rows.push_back(embed_captions(model, info.prompts).mean(/*dim=*/0));
  }
  return unit_rows(torch::stack(rows));
}

}  // namespace roclip
