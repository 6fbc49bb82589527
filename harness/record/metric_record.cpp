#include "harness/record/metric_record.h"

#include "harness/record/intervals.h"

namespace roclip::bench {

namespace {

/// One character an item, so that a result file stays readable: "0110..."
std::string digits(const std::vector<std::uint8_t>& outcomes) {
  std::string text;
  for (const auto outcome : outcomes) text += outcome ? '1' : '0';
  return text;
}

Json to_json(const Count& count) {
  Json json = {
      {"name", count.name}, {"hits", count.hits}, {"trials", count.trials}, {"value", nullptr},
      {"low", nullptr},     {"high", nullptr},    {"items", count.items},   {"outcomes", digits(count.outcomes)}};
  if (count.trials > 0) {
    const auto [low, high] = wilson({count.hits, count.trials});
    json["value"] = static_cast<double>(count.hits) / static_cast<double>(count.trials);
    json["low"] = low;
    json["high"] = high;
  }
  return json;
}

const char* name_of(Measures measures) {
  switch (measures) {
    case Measures::kAttackSuccess:
      return "attack_success";
    case Measures::kCleanAccuracy:
      return "clean_accuracy";
    case Measures::kDetection:
      return "detection";
    case Measures::kOther:
      break;
  }
  return "other";
}

}  // namespace

Json to_json(const MetricResult& result, const Metric& metric) {
  Json counts = Json::array(), values = Json::array();
  for (const auto& count : result.counts) counts.push_back(to_json(count));
  for (const auto& value : result.values) {
    values.push_back({{"name", value.name}, {"value", value.value}, {"unit", value.unit}});
  }
  return {{"better", metric.better() == Better::kLower ? "lower" : "higher"},
          {"measures", name_of(metric.measures())},
          {"headline", metric.headline()},
          {"counts", std::move(counts)},
          {"values", std::move(values)},
          {"not_applicable", result.not_applicable.empty() ? Json() : Json(result.not_applicable)},
          {"details", result.details.empty() ? Json() : Json::parse(result.details)}};
}

}  // namespace roclip::bench
