#include "embedding_bank.h"

#include <algorithm>

#include <torch/types.h>

namespace roclip {

void EmbeddingBank::to(torch::Device device) {
  if (rows_.defined()) rows_ = rows_.to(device);
}

torch::Tensor EmbeddingBank::nearest(const torch::Tensor& z) const {
  return rows_.index_select(0, z.matmul(rows_.t()).argmax(1));
}

void EmbeddingBank::enqueue(const torch::Tensor& z) {
  const auto size = rows_.size(0), incoming = z.size(0), taken = std::min(incoming, size);
  const auto to = torch::arange(cursor_ + incoming - taken, cursor_ + incoming, rows_.options().dtype(torch::kLong));
  rows_.index_copy_(0, torch::remainder(to, size), z.detach().narrow(0, incoming - taken, taken));
  cursor_ = (cursor_ + incoming) % size;
}

}  // namespace roclip
