#include "outlier_scores.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

constexpr std::int64_t kRowsAtOnce = 512;
constexpr double kUndefined = 1000;  // as in the published code

struct Neighbours {
  torch::Tensor distance;  ///< f64 [M, n], rising
  torch::Tensor index;     ///< i64 [M, n]
};

/// The n nearest of all points. @param others a point is no neighbour of itself, nor of the one `pairs` rows further
Neighbours nearest(const torch::Tensor& points, std::int64_t n, bool others, std::int64_t pairs) {
  std::vector<torch::Tensor> distances, indices;
  for (std::int64_t begin = 0; begin < points.size(0); begin += kRowsAtOnce) {
    const auto rows = torch::arange(begin, std::min(points.size(0), begin + kRowsAtOnce), torch::kLong);
    constexpr std::int64_t kExact = 2;  // without the matrix product, whose rounding makes small distances wrong
    auto all = torch::cdist(points.index_select(0, rows), points, 2, kExact);
    if (others) {
      all.scatter_(1, rows.unsqueeze(1), INFINITY);
      all.scatter_(1, torch::remainder(rows + pairs, points.size(0)).unsqueeze(1), INFINITY);
    }
    auto [distance, index] = all.topk(n, 1, /*largest=*/false, /*sorted=*/true);
    distances.push_back(distance);
    indices.push_back(index);
  }
  return {torch::cat(distances), torch::cat(indices)};
}

/// Maximum-likelihood estimate from the first k distances of each row and the one at `last`. @return f64 [M]
torch::Tensor intrinsic_dimension(const torch::Tensor& distances, std::int64_t k, std::int64_t last) {
  constexpr double kTiny = 1e-4;  // as in the published code: keeps the logarithm of 0 finite
  const auto logs = (distances.narrow(1, 0, k) / distances.narrow(1, last, 1) + kTiny).log().sum(1);
  return -static_cast<double>(k) / logs.clamp_max(-kTiny);
}

}  // namespace

torch::Tensor outlier_scores(const torch::Tensor& images, const torch::Tensor& captions,
                             const OutlierScoring& scoring) {
  const auto pairs = images.size(0), k = scoring.k;
  const auto points = (captions.defined() ? torch::cat({images, captions}) : images).to(torch::kDouble);  // [M, D]
  auto around = nearest(points, k + 1, true, pairs);
  auto of = around.index.slice(0, 0, pairs).narrow(1, 0, k);  // [N, k]
  // The place of d in a row. The published code takes the next one for x, because the point itself, which stands first
  // in the rows of its neighbours, is not in its row.
  const auto last = scoring.published ? k : k - 1;
  const auto own = around.distance.slice(0, 0, pairs).select(1, last);  // [N], d(x)
  auto density = around.distance;                                       // [M, k + 1]
  if (scoring.published) {
    density = nearest(points, k + 1, false, pairs).distance;
    // It looks neighbours up by their column in a matrix from whose rows the point and its caption were deleted.
    const auto x = torch::arange(pairs, torch::kLong).unsqueeze(1);
    of = of - (of > x).to(torch::kLong) - (of > x + pairs).to(torch::kLong);
  }
  torch::Tensor scores;
  if (scoring.score == OutlierScoring::Score::kKDistance) {
    scores = own;
  } else {
    const auto theirs = density.select(1, last).index_select(0, of.flatten()).view_as(of);  // [N, k], d(o)
    const auto ratio = own.unsqueeze(1) / theirs;
    if (scoring.score == OutlierScoring::Score::kSlof) {
      scores = ratio.mean(1);
    } else {
      const auto lid = intrinsic_dimension(density, k, last).index_select(0, of.flatten()).view_as(of);
      scores = (lid * ratio.log()).mean(1);
    }
  }
  return torch::nan_to_num(scores, kUndefined, kUndefined, 0.0);
}

}  // namespace roclip
