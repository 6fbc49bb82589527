/// A metric's result as it is stored.
#pragma once

#include "roclip/metric.h"

namespace roclip::bench {

/// {"better", "counts": [{"name", "hits", "trials", "value", "low", "high", "items", "outcomes"}], "not_applicable",
///  "details"}; low and high are the Wilson interval at 95 %.
Json to_json(const MetricResult& result, Better better);

}  // namespace roclip::bench
