/// Local outlier scores of image-text pairs: how much sparser the neighbourhood of an image is than those of its
/// neighbours.
#pragma once

#include <cstdint>
#include <string>

#include <torch/types.h>

namespace roclip {

struct OutlierScoring {
  enum class Score { kDao, kSlof, kKDistance };
  Score score = Score::kDao;
  std::int64_t k = 16;     ///< neighbours, at least 1
  bool published = false;  ///< with the look-ups of the published code instead of the formula's
};

/// Scores each image against the others and, if there are captions, against theirs: Euclidean distances, exact. A point
/// is no neighbour of itself, nor of the other half of its pair. With d the distance to the k-th neighbour and LID the
/// local intrinsic dimension, the mean over the k neighbours o of image x is
///
///     kSlof       d(x) / d(o)
///     kDao        LID(o) * log(d(x) / d(o))
///     kKDistance  d(x)
///
/// A score that is not defined (k copies of a point, which makes d zero) or infinite is 1000.
/// @param images [N, D]. @param captions [N, D], or undefined. @pre N >= k + 2. @return f64 [N]
torch::Tensor outlier_scores(const torch::Tensor& images, const torch::Tensor& captions, const OutlierScoring& scoring);

}  // namespace roclip
