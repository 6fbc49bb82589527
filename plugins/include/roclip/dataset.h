/// What a data set is: pairs to train on, labelled images to judge by, classes.
///
/// Images are uint8 [N, 3, H, W], RGB, 0..255, on the CPU, already at the resolution of the model. They may be
/// memory-mapped and are never written to: whoever changes an image changes a copy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <torch/types.h>

namespace roclip {

/// Image-caption pairs. captions[i] (UTF-8) belongs to images[i].
struct Pairs {
  torch::Tensor images;  ///< uint8 [N, 3, H, W]
  std::vector<std::string> captions;

  std::int64_t size() const { return static_cast<std::int64_t>(captions.size()); }
};

/// Images with a class, and for the held-out ones also a caption (empty where the source has none).
struct LabelledImages {
  torch::Tensor images;  ///< uint8 [M, 3, H, W]
  torch::Tensor labels;  ///< int64 [M], in [0, C)
  std::vector<std::string> captions;

  std::int64_t size() const { return labels.defined() ? labels.size(0) : 0; }
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
};

/// Index of the class of that name. @throws Error(kMatrix), with the nearest name, if there is none.
std::int64_t class_index(const std::vector<ClassInfo>& classes, std::string_view name, const std::string& where);

/// Lower-cased words (runs of letters and digits; UTF-8 letters pass unchanged).
std::vector<std::string> words(std::string_view text);
/// Whether the words of `phrase` stand next to each other among the words of `text`: the whole-word search that
/// Carlini and Terzis (2021) and the RoCLIP authors select adversarial captions with.
bool contains_phrase(std::string_view text, std::string_view phrase);

}  // namespace roclip
