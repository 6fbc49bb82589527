/// The model as plugins see it: two encoders into one space, and a temperature.
///
/// Shape letters, everywhere: B batch, D embedding, F feature, L tokens, P pool, C classes, H W pixels.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "roclip/dataset.h"

namespace roclip {

/// Contrastive language-image model (Radford et al. 2021, arXiv 2103.00020). Owned by the harness.
/// Not thread-safe. Whether gradients flow is the caller's choice (torch::NoGradGuard).
///
/// Where several processes (ranks) train one model, each runs all of a defense and computes a part of the rows of every
/// batch; what these functions take and return is always the whole batch, equal on all ranks. So a defense need not know,
/// with one exception: during training the gradients of trainable() are shares, which only the trainer adds up. A defense
/// that makes steps of its own from them is found out after the epoch, and its cell ends with the reason.
class ClipModel {
 public:
  virtual ~ClipModel() = default;

  /// @param pixels f32 [B, 3, H, W], RGB, 0..1, on device(); normalisation happens inside.
  /// @return f32 [B, F], what a linear probe reads: before the projection, not normalised.
  virtual torch::Tensor image_features(const torch::Tensor& pixels) = 0;
  /// @return f32 [B, D], rows of unit length.
  virtual torch::Tensor encode_image(const torch::Tensor& pixels) = 0;
  /// @param tokens i64 [B, L] from tokenize(), on device(). @return f32 [B, D], rows of unit length.
  virtual torch::Tensor encode_text(const torch::Tensor& tokens) = 0;
  /// The places of images, each projected as encode_image() projects what it pools of them (as Zhou et al. 2022, arXiv
  /// 2112.01071, read CLIP): T is how many places the last layer has. @return f32 [B, T, D], rows of unit length.
  virtual torch::Tensor image_parts(const torch::Tensor& pixels) = 0;
  /// The words of captions, each projected likewise. @return f32 [B, L, D], rows of unit length; 0 where tokens are.
  virtual torch::Tensor text_parts(const torch::Tensor& tokens) = 0;
  /// The factor on cosine similarities, exp of a learned parameter kept in [0, ln 100]. f32 [], with gradient.
  virtual torch::Tensor logit_scale() = 0;

  /// @return i64 [B, L] on the CPU: L is the longest caption here, at most the context length; 0 pads at the end.
  /// Words that the training captions do not have become the unknown token.
  virtual torch::Tensor tokenize(std::span<const std::string> captions) const = 0;

  /// The weights that training changes: f32 leaves that require a gradient, on device(), in a fixed order. A defense
  /// may change them in place, in after_step() or after_stage(), under torch::NoGradGuard or by an optimizer of its
  /// own; a metric must not. Before each step the trainer sets their gradients to zero.
  virtual std::vector<torch::Tensor> trainable() = 0;
  virtual std::int64_t embedding_dim() const = 0;
  virtual torch::Device device() const = 0;
  /// Batch statistics and the like: true while training. The functions below leave it as it is: a defense that embeds
  /// between two steps calls train(false) before and train(true) after.
  virtual void train(bool on) = 0;
};

/// Rows scaled to unit length. f32 [B, D]
torch::Tensor unit_rows(const torch::Tensor& rows);

/// Symmetric InfoNCE: the mean of both cross-entropies of scale * a b^T against the diagonal.
/// @param a, b f32 [B, D], unit rows; row i of a belongs to row i of b.  @return f32 [], nats.
torch::Tensor clip_loss(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& logit_scale);

/// Copies what a step needs to its device, where it joins what is to be done there: the host does not wait, as it does
/// in Tensor::to(). @param tensor on the CPU; it may be freed at once, and changed unless it is in pinned memory
torch::Tensor to_device(const torch::Tensor& tensor, torch::Device device);

/// uint8 0..255 -> f32 0..1 on `device`.
torch::Tensor to_pixels(const torch::Tensor& images, torch::Device device);
/// Unit embeddings of uint8 images [N, 3, H, W], in batches, without gradient. @return f32 [N, D] on the CPU.
torch::Tensor embed_images(ClipModel& model, const torch::Tensor& images);
/// The same of the images of a source, read a batch at a time. @param indices i64 [n], contiguous, on the CPU
torch::Tensor embed_images(ClipModel& model, const PairSource& pairs, const torch::Tensor& indices);
/// Their image_features(): f32 [n, F] on the CPU.
torch::Tensor image_features(ClipModel& model, const PairSource& pairs, const torch::Tensor& indices);
/// Unit embeddings of their captions: f32 [n, D] on the CPU.
torch::Tensor embed_captions(ClipModel& model, const PairSource& pairs, const torch::Tensor& indices);
/// Unit embeddings of captions, in batches, without gradient. @return f32 [N, D] on the CPU.
torch::Tensor embed_captions(ClipModel& model, std::span<const std::string> captions);
/// The zero-shot classifier: per class the normalised mean of its prompts' embeddings. @return f32 [C, D] on the CPU.
/// (Prompt ensembling, Radford et al. 2021, section 3.1.4.)
torch::Tensor class_embeddings(ClipModel& model, const std::vector<ClassInfo>& classes);

}  // namespace roclip
