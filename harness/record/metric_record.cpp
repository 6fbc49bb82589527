#include "harness/record/cell_record.h"
#include "roclip/metric.h"

namespace roclip::bench {

MetricRecord metric_record(const MetricResult& result, const Metric& metric) {
  MetricRecord record{.measures = metric.measures(),
                      .lower_is_better = metric.better() == Better::kLower,
                      .headline = metric.headline(),
                      .not_applicable = result.not_applicable};
  for (const auto& count : result.counts) {
    std::string outcomes;
    for (const auto outcome : count.outcomes) outcomes += outcome ? '1' : '0';
    record.counts.push_back({count.name, count.hits, count.trials, count.items, std::move(outcomes)});
  }
  for (const auto& value : result.values) record.values.push_back({value.name, value.value, value.unit});
  if (!result.details.empty()) record.details = Json::parse(result.details);
  return record;
}

}  // namespace roclip::bench
