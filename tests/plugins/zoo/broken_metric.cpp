#include <algorithm>
#include <fstream>
#include <random>
#include <stdexcept>

#include "roclip/metric.h"

/// Zero-shot accuracy, broken in one way: the conformance kit must find exactly that. Each fault has the name of the
/// check that finds it, or begins with it.
class BrokenMetric final : public roclip::Metric {
 public:
  struct Params {
    std::string fault = "none";
    std::int64_t k = 1;
    void declare(roclip::ParamList& list) {
      list.choice("fault", fault,
                  {"none", "parameters", "counts_consistent: hits", "counts_consistent: order",
                   "counts_consistent: empty", "counts_consistent: details", "leaves_the_model_alone: mode",
                   "leaves_the_model_alone: weights", "repeatable", "repeatable: by process", "no_leak"},
                  "what is wrong", "test");
      list.add("k", k, roclip::Range{1, 5}, "1", "a hit is among so many", "test");
    }
  };
  explicit BrokenMetric(Params params) : params_(std::move(params)) {
    if (is("parameters") && params_.k == 5) throw std::out_of_range("five");
  }

  std::string headline() const override { return "top"; }
  roclip::MetricResult evaluate(roclip::ClipModel& model, const roclip::EvalInputs& inputs) const override {
    if (is("counts_consistent: empty")) return {};
    if (is("no_leak")) leaked = new char[1000];
    const auto items = inputs.clean_indices();
    const auto scores = roclip::embed_images(model, *inputs.data.held_out.pairs, items)
                            .matmul(roclip::class_embeddings(model, inputs.data.classes).t());
    const auto ranks = roclip::rank_of(scores, inputs.data.held_out.labels.index_select(0, items));
    auto count = roclip::hits_at(params_.k, "top", items, ranks);
    if (is("counts_consistent: hits")) count.hits -= 1;
    if (is("counts_consistent: order")) std::swap(count.items.front(), count.items.back());
    if (is("repeatable")) {
      count.outcomes[0] = static_cast<std::uint8_t>(calls++ % 2);
      count.hits = std::count(count.outcomes.begin(), count.outcomes.end(), 1);
    }
    if (is("repeatable: by process")) {
      static const auto drawn = std::random_device()();
      for (std::size_t i = 0; i < 24; ++i) count.outcomes[i] = (drawn >> i) & 1;
      count.hits = std::count(count.outcomes.begin(), count.outcomes.end(), 1);
    }
    if (is("leaves_the_model_alone: mode")) model.train(true);
    if (is("leaves_the_model_alone: weights")) {  // batch statistics move in training mode
      model.train(true);
      model.encode_image(
          roclip::to_pixels(inputs.data.held_out.images(0, inputs.data.held_out.size()), model.device()));
      model.train(false);
    }
    return {.counts = {count}, .details = is("counts_consistent: details") ? "[]" : "{}"};
  }

 private:
  bool is(const char* fault) const { return params_.fault == fault; }

  inline static char* volatile leaked = nullptr;
  inline static int calls = 0;

  Params params_;
};

ROCLIP_METRIC(BrokenMetric, "broken_metric/1", "zero-shot accuracy, broken in one way")
