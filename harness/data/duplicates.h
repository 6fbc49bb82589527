/// What a data set says or shows more than once: captions and images that are the same, or nearly.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "roclip/dataset.h"

namespace roclip::bench {

/// Indices of pairs, ascending, at least two.
using PairGroup = std::vector<std::int64_t>;

/// The pairs of each caption that occurs more than once; captions are compared by their words, so that case and
/// punctuation do not matter. @return largest group first, equal ones by their first pair
std::vector<PairGroup> same_captions(const PairSource& pairs);

/// Groups of captions that differ by at most one word, one missing word or their order, joined as long as there is a
/// neighbour; captions of fewer than four words only by their order. Groups of one caption alone are left out.
std::vector<PairGroup> near_captions(const PairSource& pairs);

/// What an image is compared by.
struct ImageMark {
  std::uint64_t pixels;                  ///< XXH3-64 of all bytes: equal images
  std::uint64_t shape;                   ///< signs of its 64 lowest cosine coefficients: like images differ in few bits
  std::array<std::uint8_t, 48> colours;  ///< means of 4 x 4 fields, RGB
};
/// Reads all images, on all cores. [N]
std::vector<ImageMark> image_marks(const PairSource& pairs);

/// Mean difference of their colours, 0..1.
double colour_distance(const ImageMark& a, const ImageMark& b);

/// Equal images: groups by `pixels`.
std::vector<PairGroup> same_images(const std::vector<ImageMark>& marks);
/// Like images, joined as long as there is a neighbour: shapes that differ by at most 4 of 64 bits, and colours by at
/// most 0.04. Of very many images of one shape some neighbours may be missed. Groups of equal images alone are left
/// out.
std::vector<PairGroup> near_images(const std::vector<ImageMark>& marks);

/// Words that two captions share, as a share of all their words: 1 = the same words, 0 = none in common.
double word_overlap(const std::string& a, const std::string& b);

/// How much a pair looks like part of a flood: f64 [N] each.
struct FloodScores {
  /// Of an image under several captions: how many captions of like images share less than a third of their words with
  /// its own. What poisons that repeat a target image have.
  std::vector<double> captions_of_image;
  /// Of a caption over several images: how many images with the same caption are unlike its own (colours more than 0.1
  /// apart).
  std::vector<double> images_of_caption;
};
/// Each pair is compared with at most 200 others of its group.
FloodScores flood_scores(const PairSource& pairs, const std::vector<ImageMark>& marks);

}  // namespace roclip::bench
