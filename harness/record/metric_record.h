/// A metric's result as it is stored.
#pragma once

#include "roclip/metric.h"

namespace roclip::bench {

/// {"better", "measures", "headline", "counts": [{"name", "hits", "trials", "value", "low", "high", "items",
/// "outcomes"}], "values": [{"name", "value", "unit"}], "not_applicable", "details"}; low and high are the Wilson
/// interval at 95 %.
Json to_json(const MetricResult& result, const Metric& metric);

}  // namespace roclip::bench
