#include "roclip/clustering.h"

#include <algorithm>
#include <utility>

#include <torch/utils.h>

namespace roclip {

torch::Tensor k_means(const torch::Tensor& points, torch::Tensor centres) {
  constexpr std::int64_t kRounds = 20, kBlock = 4096;
  const auto clusters = centres.size(0);
  torch::Tensor cluster;
  for (std::int64_t round = 0; round < kRounds; ++round) {
    const auto half_square = centres.square().sum(1) / 2;  // [K]
    std::vector<torch::Tensor> nearest;
    for (const auto& block : points.split(kBlock)) {
      nearest.push_back((block.matmul(centres.t()) - half_square).argmax(1));
    }
    const auto before = std::exchange(cluster, torch::cat(nearest));
    if (before.defined() && before.equal(cluster)) break;
    const auto count = torch::bincount(cluster, {}, clusters).to(torch::kDouble).unsqueeze(1);  // [K, 1]
    const auto sum = torch::zeros_like(centres).index_add_(0, cluster, points);
    centres = torch::where(count > 0, sum / count.clamp_min(1), centres);
  }
  return cluster;
}

std::vector<torch::Tensor> caption_clusters(const torch::Tensor& captions, std::int64_t cluster_pairs, Rng& rng) {
  const auto pairs = captions.size(0);
  const auto clusters = std::max<std::int64_t>(1, pairs / cluster_pairs);
  const auto first = captions.index_select(0, torch::tensor(rng.sample(pairs, clusters)));
  const auto cluster = k_means(captions, first);
  std::vector<torch::Tensor> members;
  for (std::int64_t c = 0; c < clusters; ++c) {
    members.push_back((cluster == c).nonzero().squeeze(1));
    if (members.back().numel() == 0) members.pop_back();
  }
  return members;
}

}  // namespace roclip
