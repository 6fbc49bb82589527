/// From what a metric returns to what is stored of it.
#pragma once

#include "harness/record/cell_record.h"
#include "roclip/metric.h"

namespace roclip::bench {

/// As the metric describes itself, and what it found.
MetricRecord metric_record(const MetricResult& result, const Metric& metric);

}  // namespace roclip::bench
