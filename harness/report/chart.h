/// Charts as SVG: static, so that they work offline, in print and without a script. Colours are classes s0..s7 of the
/// page's style sheet, so that they follow light and dark.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/record/intervals.h"

namespace roclip::bench {

struct ChartPoint {
  double x, y;
  std::optional<Interval> x_range = {}, y_range = {};  ///< bars
  std::string label = {};                              ///< told on hover
};

struct ChartSeries {
  std::string name;
  std::vector<ChartPoint> points = {};
  bool line = true, dashed = false;
  int colour = 0;
};

struct Chart {
  std::string title, x_name, y_name;
  std::vector<ChartSeries> series = {};
  bool shares = true;  ///< y, and x of a scatter, are shares: shown as percentages from 0 to 100
  bool x_shares = false;
  std::optional<Interval> y_range = {};  ///< shown at least
  std::vector<double> x_ticks = {};      ///< empty = chosen
  bool log_x = false;
};

/// One <figure> with its legend. All texts are escaped.
std::string render_svg(const Chart& chart);

}  // namespace roclip::bench
