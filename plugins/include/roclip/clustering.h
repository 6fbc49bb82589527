/// Clusters of pairs, for filters that need classes where CLIP has only captions.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "roclip/rng.h"

namespace roclip {

/// Lloyd's algorithm, 20 rounds at most; ties to the lowest cluster, and an empty one stays where it is.
/// @param points f64 [N, D]. @param centres f64 [K, D], the first ones. @return i64 [N], clusters
torch::Tensor k_means(const torch::Tensor& points, torch::Tensor centres);

/// The pairs of each cluster of captions, as ascending indices; empty clusters are left out. The first centres are
/// random captions. @param captions f64 [N, D]. @param cluster_pairs mean size of a cluster, at least 1
std::vector<torch::Tensor> caption_clusters(const torch::Tensor& captions, std::int64_t cluster_pairs, Rng& rng);

}  // namespace roclip
