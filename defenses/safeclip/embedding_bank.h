/// The latest embeddings of one modality, for nearest neighbours: a first-in first-out ring.
#pragma once

#include <cstdint>

#include <torch/types.h>

namespace roclip {

/// Rows are unit vectors, without gradient. On one device.
class EmbeddingBank {
 public:
  EmbeddingBank() = default;
  /// @param rows f32 [P, D], of which the first is the oldest @param cursor the row to be overwritten next
  explicit EmbeddingBank(torch::Tensor rows, std::int64_t cursor = 0) : rows_(std::move(rows)), cursor_(cursor) {}

  /// A bank of a checkpoint comes on the CPU; one that is there already is not copied.
  void to(torch::Device device);
  bool empty() const { return !rows_.defined(); }
  /// The most similar row of each of z. @param z f32 [B, D], unit rows. @return f32 [B, D]; ties go to the lowest row
  torch::Tensor nearest(const torch::Tensor& z) const;
  /// Overwrites the oldest rows; of more than P only the last P stay.
  void enqueue(const torch::Tensor& z);

  const torch::Tensor& rows() const { return rows_; }
  std::int64_t cursor() const { return cursor_; }

 private:
  torch::Tensor rows_;
  std::int64_t cursor_ = 0;
};

}  // namespace roclip
