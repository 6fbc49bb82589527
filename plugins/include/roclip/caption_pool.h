/// A pool of captions that images are matched with, for defenses that do not trust the pairs (RoCLIP, Yang et al. 2023,
/// arXiv 2303.06854): a first-in first-out ring of embeddings, with the tokens beside them if they are asked for.
#pragma once

#include <cstdint>

#include <torch/types.h>

#include "roclip/defense.h"

namespace roclip {

/// Rows are unit vectors, stored as they came and never changed: they age with the model. On one device.
class CaptionPool {
 public:
  CaptionPool() = default;
  /// A pool of the captions given: embeddings f32 [P, D], unit rows; tokens i64 [P, L] of the same captions, padded
  /// with 0, or undefined if they are never asked for.
  CaptionPool(torch::Tensor embeddings, torch::Tensor tokens);
  /// Random captions of the training pairs, as the model embeds them now. Draws from context.rng.
  /// @param size of the pool, at least 1 and at most the number of pairs. @param with_tokens whether to keep them
  static CaptionPool of_random_captions(std::int64_t size, bool with_tokens, TrainContext& context);

  /// A pool of a checkpoint comes on the CPU; one that is there already is not copied.
  void to(torch::Device device);
  std::int64_t size() const { return embeddings_.defined() ? embeddings_.size(0) : 0; }

  /// Row of the most similar caption for each image. @param z_img f32 [B, D], unit rows.
  /// @return i64 [B]; ties go to the lowest row. Searches in panels, without the B x P matrix.
  torch::Tensor nearest(const torch::Tensor& z_img) const;
  /// @param rows i64 [B]. @return f32 [B, D]
  torch::Tensor embeddings(const torch::Tensor& rows) const { return embeddings_.index_select(0, rows); }
  /// @return i64 [B, L']; on the CPU cut to the longest caption among them, on a GPU as wide as the pool
  torch::Tensor tokens(const torch::Tensor& rows) const;

  /// Overwrites the oldest rows, wrapping around: after P enqueued captions all former ones are gone. Of more than P
  /// captions at once the last P stay. (The authors' ring drops what does not fit before its end; ours wraps.)
  void enqueue(const torch::Tensor& z_txt, const torch::Tensor& tokens);

  /// Part of the state of a defense; an empty pool, too.
  void save(torch::serialize::OutputArchive& archive) const;
  void load(torch::serialize::InputArchive& archive);

  const torch::Tensor& all_embeddings() const { return embeddings_; }
  const torch::Tensor& all_tokens() const { return tokens_; }
  std::int64_t cursor() const { return cursor_; }

 private:
  torch::Tensor embeddings_;  ///< f32 [P, D]
  torch::Tensor tokens_;      ///< i64 [P, L], or undefined
  std::int64_t cursor_ = 0;   ///< the row to be overwritten next: the oldest
};

}  // namespace roclip
