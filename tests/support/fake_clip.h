/// A CLIP small enough to work out by hand: an image is its mean colour, a caption the sum of its words' vectors.
#pragma once

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "roclip/clip_model.h"

namespace roclip {

/// Its tensors are public: a test sets them, or calls requires_grad_() on them and trains.
class FakeClip : public ClipModel {
 public:
  /// @param word_vectors of equal length D. Words that are not in it are the zero vector.
  /// An image embeds as its mean colour (R, G, B), cut or filled with zeros to D.
  explicit FakeClip(const std::map<std::string, std::vector<float>>& word_vectors) {
    const auto dim = static_cast<std::int64_t>(word_vectors.begin()->second.size());
    image_weight = torch::eye(3, dim);
    std::vector<torch::Tensor> rows = {torch::zeros({dim}), torch::zeros({dim})};  // padding, unknown
    for (const auto& [word, vector] : word_vectors) {
      vocabulary[word] = std::ssize(rows);
      rows.push_back(torch::tensor(vector));
    }
    word_weight = torch::stack(rows);
  }

  torch::Tensor image_features(const torch::Tensor& pixels) override { return pixels.mean({2, 3}); }
  torch::Tensor encode_image(const torch::Tensor& pixels) override {
    return unit_rows(image_features(pixels).matmul(image_weight));
  }
  torch::Tensor encode_text(const torch::Tensor& tokens) override {
    return unit_rows(torch::embedding(word_weight, tokens).sum(/*dim=*/1));
  }
  /// Its pixels, row by row. A black one is the zero vector.
  torch::Tensor image_parts(const torch::Tensor& pixels) override {
    const auto parts = pixels.flatten(2).transpose(1, 2).matmul(image_weight);  // [B, H * W, D]
    return unit_rows(parts.flatten(0, 1)).view(parts.sizes());
  }
  torch::Tensor text_parts(const torch::Tensor& tokens) override {
    const auto parts = torch::embedding(word_weight, tokens);  // [B, L, D]
    return unit_rows(parts.flatten(0, 1)).view(parts.sizes());
  }
  torch::Tensor logit_scale() override { return scale; }
  std::vector<torch::Tensor> trainable() override { return {image_weight, word_weight, scale}; }

  torch::Tensor tokenize(std::span<const std::string> captions) const override {
    std::vector<std::vector<std::string>> texts;
    std::size_t longest = 1;
    for (const auto& caption : captions) {
      texts.push_back(words(caption));
      longest = std::max(longest, texts.back().size());
    }
    auto tokens = torch::zeros({std::ssize(texts), static_cast<std::int64_t>(longest)}, torch::kLong);
    for (std::size_t row = 0; row < texts.size(); ++row) {
      for (std::size_t i = 0; i < texts[row].size(); ++i) {
        const auto known = vocabulary.find(texts[row][i]);
        tokens[static_cast<std::int64_t>(row)][static_cast<std::int64_t>(i)] =
            known == vocabulary.end() ? 1 : known->second;
      }
    }
    return tokens;
  }

  std::int64_t embedding_dim() const override { return word_weight.size(1); }
  torch::Device device() const override { return word_weight.device(); }
  void train(bool on) override { training = on; }

  torch::Tensor image_weight;                      ///< f32 [3, D]
  torch::Tensor word_weight;                       ///< f32 [V + 2, D]; rows 0 and 1 are padding and unknown words
  torch::Tensor scale = torch::tensor(10.0F);      ///< f32 []
  std::map<std::string, std::int64_t> vocabulary;  ///< word -> row of word_weight
  bool training = false;
};

}  // namespace roclip
