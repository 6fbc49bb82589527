#include "retrieval.h"

#include <limits>
#include <unordered_map>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

constexpr std::int64_t kTile = 512;  // queries at once: the similarities of all would be M^2

}  // namespace

RetrievalRanks retrieval_ranks(const torch::Tensor& images, const torch::Tensor& texts, const torch::Tensor& text_of) {
  std::vector<torch::Tensor> image_to_text, text_to_image;
  for (std::int64_t begin = 0; begin < images.size(0); begin += kTile) {
    const auto scores = images.slice(/*dim=*/0, begin, begin + kTile).matmul(texts.t());  // [<= kTile, U]
    image_to_text.push_back(rank_of(scores, text_of.slice(/*dim=*/0, begin, begin + kTile)));
  }
  const auto all_texts = torch::arange(texts.size(0), text_of.options()).unsqueeze(1);  // [U, 1]
  for (std::int64_t begin = 0; begin < texts.size(0); begin += kTile) {
    const auto scores = texts.slice(/*dim=*/0, begin, begin + kTile).matmul(images.t());  // [<= kTile, M]
    const auto wrong = all_texts.slice(/*dim=*/0, begin, begin + kTile) != text_of;
    const auto best = scores.masked_fill(wrong, -std::numeric_limits<double>::infinity()).argmax(/*dim=*/1);
    text_to_image.push_back(rank_of(scores, best));
  }
  return {torch::cat(image_to_text), torch::cat(text_to_image).index_select(/*dim=*/0, text_of)};
}

MetricResult Retrieval::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  const auto& held_out = inputs.data.held_out;
  const auto clean = inputs.clean_indices();
  std::vector<std::int64_t> kept, text_ids;
  std::vector<std::string> texts;
  std::unordered_map<std::string, std::int64_t> ids;
  for (std::int64_t i = 0; i < clean.size(0); ++i) {
    const auto item = clean[i].item<std::int64_t>();
    const auto caption = held_out.pairs->caption(item);
    if (caption.empty()) continue;
    const auto [entry, is_new] = ids.emplace(caption, std::ssize(texts));
    if (is_new) texts.push_back(caption);
    kept.push_back(item);
    text_ids.push_back(entry->second);
  }
  if (kept.empty()) return {.not_applicable = "no held-out image has a caption"};

  const auto items = torch::tensor(kept);
  const auto images = embed_images(model, *held_out.pairs, items);  // [M, D]
  const auto ranks = retrieval_ranks(images, embed_captions(model, texts), torch::tensor(text_ids));
  MetricResult result;
  for (const std::int64_t k : {1, 5, 10}) {
    result.counts.push_back(hits_at(k, "image_to_text_at_" + std::to_string(k), items, ranks.image_to_text));
  }
  for (const std::int64_t k : {1, 5, 10}) {
    result.counts.push_back(hits_at(k, "text_to_image_at_" + std::to_string(k), items, ranks.text_to_image));
  }
  result.details = Json{{"images", kept.size()}, {"texts", texts.size()}}.dump();
  return result;
}

}  // namespace roclip
