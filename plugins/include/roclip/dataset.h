/// What a data set is: pairs to train on, labelled images to judge by, classes.
///
/// Data is a source that is asked for what is needed, not one tensor: it may be a file that is mapped into memory, a
/// folder of JPEGs, or drawn when asked. Images are uint8 [3, px, px], RGB, 0..255, square, at the resolution of the
/// model. A source is never written to: whoever changes an image changes a copy.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <torch/types.h>

namespace roclip {

/// Pairs of an image and a caption, known by their index in [0, size()). Constant once it is made. [any thread]
class PairSource {
 public:
  virtual ~PairSource() = default;
  virtual std::int64_t size() const = 0;
  /// Height and width of every image.
  virtual std::int64_t image_px() const = 0;
  /// UTF-8; empty where the source has none. @pre 0 <= index < size()
  virtual std::string caption(std::int64_t index) const = 0;
  /// Writes the 3 * px * px bytes of an image, channel by channel, row by row.
  /// @pre 0 <= index < size(). @throws Error(kData), with the pair's name, for an image that cannot be read
  virtual void read_image(std::int64_t index, std::uint8_t* to) const = 0;

  /// Whether reading an image takes long, so that whoever trains reads ahead.
  virtual bool is_slow() const { return false; }

  /// @param indices i64 [B] on the CPU, with any strides. @return uint8 [B, 3, px, px], a contiguous copy.
  /// @throws std::out_of_range for an index outside of [0, size()), and what read_image() throws
  torch::Tensor images(const torch::Tensor& indices) const;
  /// One image. @return uint8 [3, px, px], a copy
  torch::Tensor image(std::int64_t index) const;
  /// Those of [begin, end). @return uint8 [end - begin, 3, px, px], a copy
  torch::Tensor images(std::int64_t begin, std::int64_t end) const;
};

/// Pairs whose images are one tensor in memory, which may be a mapped file: what small data sets are, and what tests
/// make by hand.
class TensorPairs final : public PairSource {
 public:
  /// @param images uint8 [N, 3, px, px], contiguous, on the CPU; shared, not copied. @param captions N of them, or none
  TensorPairs(torch::Tensor images, std::vector<std::string> captions);
  std::int64_t size() const override { return images_.size(0); }
  std::int64_t image_px() const override { return images_.size(3); }
  std::string caption(std::int64_t index) const override;
  void read_image(std::int64_t index, std::uint8_t* to) const override;

 private:
  torch::Tensor images_;
  std::vector<std::string> captions_;
};

using Pairs = std::shared_ptr<const PairSource>;
/// TensorPairs as the data set holds them.
Pairs tensor_pairs(torch::Tensor images, std::vector<std::string> captions = {});

/// Images with a class, and for the held-out ones also a caption (empty where the source has none).
struct LabelledImages {
  Pairs pairs;           ///< M of them; may be null if there are none
  torch::Tensor labels;  ///< int64 [M], in [0, C)

  std::int64_t size() const { return labels.defined() ? labels.size(0) : 0; }
  std::int64_t label(std::int64_t index) const { return labels[index].item<std::int64_t>(); }
  torch::Tensor images(const torch::Tensor& indices) const { return pairs->images(indices); }
  torch::Tensor images(std::int64_t begin, std::int64_t end) const { return pairs->images(begin, end); }
};

/// A class is a plain word, which captions may contain, and the prompts that its zero-shot classifier averages.
struct ClassInfo {
  std::string name;
  std::vector<std::string> prompts;
};

struct Dataset {
  std::string name;         ///< "emoji"
  std::string hash;         ///< of the content; a stored result counts as done only on the same
  Pairs train;              ///< clean; poisons are laid over it, never into it
  LabelledImages probe;     ///< what a linear probe is fitted on (clean, labelled)
  LabelledImages held_out;  ///< never trained on; targets of attacks are drawn from here
  std::vector<ClassInfo> classes;
  /// The clean subset: training pairs that no attack may touch, and that a defense gets which asks for it. Ascending.
  std::vector<std::int64_t> clean_subset = {};
};

/// Index of the class of that name. @throws Error(kMatrix), with the nearest name, if there is none.
std::int64_t class_index(const std::vector<ClassInfo>& classes, std::string_view name, const std::string& where);

/// Lower-cased words (runs of letters and digits; UTF-8 letters pass unchanged).
std::vector<std::string> words(std::string_view text);
/// Whether the words of `phrase` stand next to each other among the words of `text`: the whole-word search that
/// Carlini and Terzis (2021) and the RoCLIP authors select adversarial captions with.
bool contains_phrase(std::string_view text, std::string_view phrase);

}  // namespace roclip
