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
  std::string label;                   ///< told on hover
  std::optional<Interval> range = {};  ///< of y: a bar
};

/// Points, joined by a line.
struct ChartSeries {
  std::string name;  ///< "" = none in the legend
  std::vector<ChartPoint> points = {};
  int colour = 0;    ///< from 8 on dashed
  bool dots = true;  ///< else the line alone, thinner
};

/// Both axes begin at 0, unless a value is negative or `x_ticks` says where the values are.
struct Chart {
  std::string title, x_name, y_name;
  std::vector<ChartSeries> series = {};
  bool x_shares = false, y_shares = false;  ///< shown as percentages
  bool y_whole = true;                      ///< shares: the axis goes up to 100 %
  std::vector<double> x_ticks = {};         ///< ascending; empty = chosen
  bool named =
      false;  ///< of series of dots: names stand beside the chart even if there is only one; others are in the legend
};

/// One <figure>. Of several series the names stand beside the chart, with a line to a point of each; one has a legend.
/// All texts are escaped.
std::string render_svg(const Chart& chart);

}  // namespace roclip::bench
