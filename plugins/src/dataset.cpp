#include "roclip/dataset.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <span>
#include <stdexcept>

#include <torch/types.h>
#include <torch/utils.h>

#include "roclip/error.h"
#include "roclip/params.h"

namespace roclip {

torch::Tensor PairSource::images(const torch::Tensor& indices) const {
  const auto px = image_px();
  const auto wanted = indices.contiguous();
  auto out = torch::empty({wanted.numel(), 3, px, px}, torch::kByte);
  auto* to = out.data_ptr<std::uint8_t>();
  for (const auto index : std::span(wanted.data_ptr<std::int64_t>(), static_cast<std::size_t>(wanted.numel()))) {
    if (index < 0 || index >= size()) {
      throw std::out_of_range("pair " + std::to_string(index) + " of " + std::to_string(size()));
    }
    read_image(index, to);
    to += 3 * px * px;
  }
  return out;
}

torch::Tensor PairSource::image(std::int64_t index) const { return images(index, index + 1)[0]; }

torch::Tensor PairSource::images(std::int64_t begin, std::int64_t end) const {
  return images(torch::arange(begin, end, torch::kLong));
}

TensorPairs::TensorPairs(torch::Tensor images, std::vector<std::string> captions)
    : images_(std::move(images)), captions_(std::move(captions)) {
  if (images_.dim() != 4 || images_.size(1) != 3 || images_.size(2) != images_.size(3) || !images_.is_contiguous() ||
      images_.scalar_type() != torch::kUInt8) {
    throw std::invalid_argument("TensorPairs: expected contiguous uint8 [N, 3, px, px]");
  }
  if (!captions_.empty() && std::ssize(captions_) != images_.size(0)) {
    throw std::invalid_argument("TensorPairs: " + std::to_string(captions_.size()) + " captions of " +
                                std::to_string(images_.size(0)) + " images");
  }
}

std::string TensorPairs::caption(std::int64_t index) const {
  return captions_.empty() ? "" : captions_[static_cast<std::size_t>(index)];
}

void TensorPairs::read_image(std::int64_t index, std::uint8_t* to) const {
  const auto bytes = static_cast<std::size_t>(3 * image_px() * image_px());
  std::memcpy(to, images_.data_ptr<std::uint8_t>() + static_cast<std::size_t>(index) * bytes, bytes);
}

Pairs tensor_pairs(torch::Tensor images, std::vector<std::string> captions) {
  return std::make_shared<TensorPairs>(std::move(images), std::move(captions));
}

std::int64_t class_index(const std::vector<ClassInfo>& classes, std::string_view name, const std::string& where) {
  const auto found = std::ranges::find(classes, name, &ClassInfo::name);
  if (found != classes.end()) return found - classes.begin();
  std::vector<std::string> names;
  std::string known;
  for (const auto& info : classes) {
    names.push_back(info.name);
    known += (known.empty() ? "" : ", ") + info.name;
  }
  throw Error(ErrorKind::kMatrix, where + ": the data set has no class \"" + std::string(name) + "\"" +
                                      did_you_mean(name, names) + " (classes: " + known + ")");
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  std::string word;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || c >= 0x80) {
      word += static_cast<char>(std::tolower(c));
    } else if (!word.empty()) {
      result.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) result.push_back(std::move(word));
  return result;
}

bool contains_phrase(std::string_view text, std::string_view phrase) {
  const auto haystack = words(text), needle = words(phrase);
  return !needle.empty() && !std::ranges::search(haystack, needle).empty();
}

}  // namespace roclip
