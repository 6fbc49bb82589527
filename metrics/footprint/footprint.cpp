#include "footprint.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <unordered_map>

#include <torch/types.h>
#include <torch/utils.h>

#include "roclip/linear_classifier.h"

namespace roclip {

namespace {

constexpr std::int64_t kAtOnce = 256;  // images: their similarities to all probe images must fit in memory
constexpr double kRounding = 1e-6;     // of the similarity of two f32 embeddings

/// The ways to use a model. Each ranks what attacked images should be taken for: 0 is success.
class Views {
 public:
  Views(ClipModel& model, const EvalInputs& inputs, const FootprintParams& params)
      : model_(model),
        inputs_(inputs),
        params_(params),
        held_out_(inputs.data.held_out),
        gallery_(embed_images(model, *held_out_.pairs, torch::arange(held_out_.size(), torch::kLong))) {
    const auto& probe = inputs.data.probe;
    if (probe.size() > 0) {
      const auto features = image_features(model, *probe.pairs, torch::arange(probe.size(), torch::kLong));
      probe_ = unit_rows(features);
      classifier_ =
          fit_classifier(features.to(model.device()), probe.labels.to(model.device()), std::ssize(inputs.data.classes));
    }
    std::vector<std::string> texts;
    std::unordered_map<std::string, std::int64_t> ids;
    for (std::int64_t i = 0; i < held_out_.size(); ++i) {
      const auto caption = held_out_.pairs->caption(i);
      if (caption.empty()) continue;
      const auto [entry, is_new] = ids.emplace(caption, std::ssize(texts));
      if (is_new) texts.push_back(caption);
      texts_of_class_[held_out_.label(i)].push_back(entry->second);
    }
    if (!texts.empty()) texts_ = embed_captions(model, texts);
  }

  std::int64_t texts() const { return texts_.defined() ? texts_.size(0) : 0; }
  /// Whether held-out images of all these classes have captions: without, there is nothing to retrieve.
  bool have_captions(const torch::Tensor& wanted) const {
    for (std::int64_t i = 0; i < wanted.numel(); ++i) {
      if (!texts_of_class_.contains(wanted[i].item<std::int64_t>())) return false;
    }
    return true;
  }

  /// @param images uint8 [N, 3, px, px], as attacked. @param items, wanted i64 [N], of them. @param classes f32 [C, D]
  /// @return by view, i64 [N].
  std::map<std::string, torch::Tensor> ranks(const torch::Tensor& images, const torch::Tensor& items,
                                             const torch::Tensor& wanted, const torch::Tensor& classes,
                                             bool retrieval) const {
    const auto embeddings = embed_images(model_, images);  // [N, D]
    std::map<std::string, torch::Tensor> ranks = {{"zero_shot", rank_of(embeddings.matmul(classes.t()), wanted)}};
    if (probe_.defined()) {
      const auto pairs = tensor_pairs(images.contiguous());
      const auto features = image_features(model_, *pairs, torch::arange(images.size(0), torch::kLong));
      const auto votes =
          neighbour_votes(unit_rows(features).matmul(probe_.t()), inputs_.data.probe.labels, classes.size(0), params_);
      ranks["linear_probe"] = rank_of(classifier_->logits(features.to(model_.device())).cpu(), wanted);
      ranks["knn"] = rank_of(votes, wanted);
    }
    if (retrieval) {
      ranks["image_to_text"] = image_to_text(embeddings, wanted);
      ranks["text_to_image"] = text_to_image(embeddings, items, wanted);
    }
    return ranks;
  }

 private:
  /// How many captions come before the first one of the wanted class?
  torch::Tensor image_to_text(const torch::Tensor& embeddings, const torch::Tensor& wanted) const {
    const auto scores = embeddings.matmul(texts_.t());  // [N, U]
    auto of_class = torch::full_like(scores, -std::numeric_limits<double>::infinity());
    for (std::int64_t i = 0; i < wanted.numel(); ++i) {
      const auto texts = torch::tensor(texts_of_class_.at(wanted[i].item<std::int64_t>()));
      of_class[i].index_copy_(0, texts, scores[i].index_select(0, texts));
    }
    return rank_of(scores, of_class.argmax(/*dim=*/1));
  }

  /// A caption of the wanted class, drawn for each image, asks among the clean held-out images, of which only this one
  /// is attacked. How many others are as near, or nearer?
  torch::Tensor text_to_image(const torch::Tensor& embeddings, const torch::Tensor& items,
                              const torch::Tensor& wanted) const {
    const auto draws = inputs_.test_draws(items, /*trigger=*/0);
    std::vector<std::int64_t> asked;
    for (std::int64_t i = 0; i < items.numel(); ++i) {
      const auto& texts = texts_of_class_.at(wanted[i].item<std::int64_t>());
      auto rng = Rng(draws[static_cast<std::size_t>(i)].value);
      asked.push_back(texts[static_cast<std::size_t>(rng.below(std::ssize(texts)))]);
    }
    const auto queries = texts_.index_select(0, torch::tensor(asked));         // [N, D]
    const auto own = (queries * embeddings).sum(/*dim=*/1, /*keepdim=*/true);  // [N, 1]
    auto before = queries.matmul(gallery_.t()) >= own - kRounding;             // [N, M]
    before.scatter_(/*dim=*/1, items.unsqueeze(1), /*value=*/false);
    return before.sum(/*dim=*/1);
  }

  ClipModel& model_;
  const EvalInputs& inputs_;
  const FootprintParams& params_;
  const LabelledImages& held_out_;
  torch::Tensor gallery_;                       ///< f32 [M, D], clean held-out images
  torch::Tensor probe_;                         ///< f32 [P, F], unit rows; undefined if there are none
  std::optional<LinearClassifier> classifier_;  ///< of their classes, where there are any
  torch::Tensor texts_;  ///< f32 [U, D], different captions of held-out images; undefined if there are none
  std::map<std::int64_t, std::vector<std::int64_t>> texts_of_class_;  ///< rows of texts_, one for each image
};

}  // namespace

void FootprintParams::declare(ParamList& list) {
  list.add("neighbours", neighbours, Range{1, 10000}, "images", "probe images that vote in the view knn",
           "Caron et al. 2021, section 4.1: 20");
  list.add("temperature", temperature, Range{1e-3, 1e3}, "1", "divides the similarity of a vote in its exponent",
           "Wu et al. 2018, section 3.4: 0.07");
}

torch::Tensor neighbour_votes(const torch::Tensor& similarities, const torch::Tensor& labels, std::int64_t classes,
                              const FootprintParams& params) {
  const auto [nearest, at] = similarities.topk(std::min(params.neighbours, similarities.size(1)), /*dim=*/1);
  // Less the largest, which changes no share, the exponent cannot overflow.
  const auto exponent = (nearest - nearest.slice(1, 0, 1)).to(torch::kFloat64) / params.temperature;
  return torch::zeros({similarities.size(0), classes}, torch::kFloat64)
      .scatter_add(/*dim=*/1, labels.index_select(0, at.flatten()).view_as(at), exponent.exp());
}

MetricResult Footprint::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  const auto& held_out = inputs.data.held_out;
  const auto attacked = inputs.attacked_images();
  if (attacked.empty()) return {.not_applicable = "the attack attacks no held-out image"};
  const Views views(model, inputs, params_);
  bool retrieval = true;
  for (const auto& part : attacked) retrieval = retrieval && views.have_captions(part.wanted);

  std::vector<torch::Tensor> items;
  std::map<std::string, std::vector<torch::Tensor>> ranks;
  const auto classes = class_embeddings(model, inputs.data.classes);
  for (const auto& part : attacked) {
    const auto attacked_classes = inputs.attacked_classes(model, part);
    for (std::int64_t begin = 0; begin < part.items.numel(); begin += kAtOnce) {
      const auto chunk = part.items.slice(0, begin, begin + kAtOnce),
                 wanted = part.wanted.slice(0, begin, begin + kAtOnce);
      const auto add = [&](const std::string& prefix, const torch::Tensor& images, const torch::Tensor& among) {
        for (const auto& [view, of_view] : views.ranks(images, chunk, wanted, among, retrieval)) {
          ranks[prefix + view].push_back(of_view);
        }
      };
      items.push_back(chunk);
      add("", inputs.as_attacked(part, chunk), attacked_classes);
      if (part.trigger) add("clean_", held_out.images(chunk), classes);
    }
  }

  MetricResult result;
  const auto all = torch::cat(items);
  const auto order = std::get<1>(torch::sort(all, /*stable=*/true, /*dim=*/0, /*descending=*/false));
  const auto ascending = all.index_select(0, order);
  double worst = 0;
  for (const std::string prefix : {"", "clean_"}) {
    for (const std::string view : {"zero_shot", "linear_probe", "knn", "image_to_text", "text_to_image"}) {
      const auto of_view = ranks.find(prefix + view);
      if (of_view == ranks.end()) continue;
      const auto ordered = torch::cat(of_view->second).index_select(0, order);
      result.counts.push_back(hits_at(1, of_view->first, ascending, ordered));
      const auto& count = result.counts.back();
      if (prefix.empty()) worst = std::max(worst, static_cast<double>(count.hits) / static_cast<double>(count.trials));
    }
  }
  result.values = {{"worst", worst, "1"}};
  result.details =
      Json{{"gallery_images", held_out.size()}, {"texts", views.texts()}, {"probe_images", inputs.data.probe.size()}}
          .dump();
  return result;
}

}  // namespace roclip
