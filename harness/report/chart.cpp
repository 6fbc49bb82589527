#include "harness/report/chart.h"

#include <algorithm>
#include <cmath>

#include "harness/report/render.h"

namespace roclip::bench {

namespace {

constexpr double kWidth = 432, kLeft = 52, kTop = 12, kNameHeight = 12;

/// An axis between two places of the picture, linear or logarithmic.
struct Axis {
  double from, to;
  double low = 0, high = 0;
  bool log = false;

  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  double at(double value) const {
    const double share = log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + share * (to - from);
  }
};

/// 1, 2 or 5 times a power of ten, so that about five fit.
std::vector<double> ticks(const Axis& axis) {
  const double raw = (axis.high - axis.low) / 5, power = std::pow(10, std::floor(std::log10(raw)));
  const double step = power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
  std::vector<double> values;
  const double rounding = 1e-9;
  const double first = std::ceil(axis.low / step - rounding) + 0.0;  // 0 instead of -0
  for (double i = first; i <= axis.high / step + rounding; ++i) values.push_back(i * step);
  return values;
}

std::string number(double value, bool share) { return share ? format("%.4g %%", 100 * value) : format("%.4g", value); }

std::string line(const std::string& classes, double x1, double y1, double x2, double y2) {
  return "<line class=\"" + classes + format("\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", x1, y1, x2, y2);
}

/// @param place attributes that say where
std::string text(const std::string& classes, const std::string& place, const std::string& content) {
  return "<text class=\"" + classes + "\" " + place + ">" + escape_xml(content) + "</text>";
}

/// A name beside the chart, and the point that it leads to.
struct Name {
  std::string text, colour;
  double x, y;
};

/// In a column at the right, each at the height of its point, or as near as the others let it.
std::string name_column(std::vector<Name> names, double left, double bottom) {
  std::ranges::stable_sort(names, {}, &Name::y);
  std::vector<double> heights;
  for (const auto& name : names) {
    heights.push_back(std::max(name.y, heights.empty() ? kTop : heights.back() + kNameHeight));
  }
  for (std::size_t i = names.size(); i-- > 0;) {
    heights[i] = std::min(heights[i], i + 1 == names.size() ? bottom : heights[i + 1] - kNameHeight);
  }
  std::string svg;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& name = names[i];
    svg += line("leader", name.x, name.y, left - 3, heights[i]) +
           text("name " + name.colour, format("x=\"%g\" y=\"%.1f\"", left, heights[i] + 4), name.text);
  }
  return svg;
}

}  // namespace

std::string render_svg(const Chart& chart) {
  const auto count = std::ranges::count_if(chart.series, [](const auto& series) { return !series.name.empty(); });
  const bool named = chart.named || count > 1;
  const double right = named ? 285 : 408;
  const double bottom = std::max(220.0, named ? kTop + kNameHeight * static_cast<double>(count) : 0);
  Axis x{kLeft, right}, y{bottom, kTop};
  if (!chart.x_ticks.empty()) {
    x.low = chart.x_ticks.front(), x.high = chart.x_ticks.back();
    x.log = x.low > 0 && x.high / x.low > 20;
  }
  if (chart.y_shares && chart.y_whole) y.high = 1;
  for (const auto& series : chart.series) {
    for (const auto& point : series.points) {
      x.include(point.x);
      y.include(point.y);
    }
  }
  if (x.low == x.high) x.high += 1;
  if (y.low == y.high) y.high += 1;

  std::string svg = format("<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"", kWidth, bottom + 40) +
                    escape_xml(chart.title + ": " + chart.y_name + " against " + chart.x_name) + "\">";
  for (const double tick : ticks(y)) {
    svg += line("grid", kLeft, y.at(tick), right, y.at(tick)) +
           text("tick", format("x=\"%g\" y=\"%.1f\" text-anchor=\"end\"", kLeft - 6, y.at(tick) + 4),
                number(tick, chart.y_shares));
  }
  for (const double tick : chart.x_ticks.empty() ? ticks(x) : chart.x_ticks) {
    svg += line("grid", x.at(tick), kTop, x.at(tick), bottom) +
           text("tick", format("x=\"%.1f\" y=\"%g\" text-anchor=\"middle\"", x.at(tick), bottom + 15),
                number(tick, chart.x_shares));
  }
  svg +=
      text("axis", format("x=\"%g\" y=\"%g\" text-anchor=\"middle\"", (kLeft + right) / 2, bottom + 34), chart.x_name) +
      text("axis", format("transform=\"translate(12 %g) rotate(-90)\" text-anchor=\"middle\"", (kTop + bottom) / 2),
           chart.y_name);
  std::string legend, marks;
  std::vector<Name> names;
  for (const auto& series : chart.series) {
    const std::string colour = "s" + std::to_string(series.colour % 8) + (series.colour < 8 ? "" : " dashed");
    const bool beside = named && !series.name.empty() && !series.points.empty() && (series.dots || !chart.named);
    if (beside) {  // a line leads from its end; one without dots, which may end where all do, from its middle
      const auto& point = series.points[series.dots ? series.points.size() - 1 : series.points.size() / 2];
      names.push_back({series.name, colour, x.at(point.x), y.at(point.y)});
    } else if (!series.name.empty()) {
      legend += "<span><i class=\"key " + colour + "\"></i>" + escape_xml(series.name) + "</span> ";
    }
    std::string path;
    for (const auto& point : series.points) {
      const double px = x.at(point.x), py = y.at(point.y);
      path += format("%s%.1f %.1f", path.empty() ? "M" : "L", px, py);
      if (!series.dots) continue;
      if (point.range) marks += line("bar " + colour, px, y.at(point.range->low), px, y.at(point.range->high));
      marks += format("<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>", colour.c_str(), px, py) +
               escape_xml(point.label) + "</title></circle>";
    }
    marks += "<path class=\"" + std::string(series.dots ? "line " : "thin line ") + colour + "\" d=\"" + path + "\"/>";
  }
  svg += name_column(std::move(names), right + 14, bottom) + marks;
  return "<figure><figcaption>" + escape_xml(chart.title) + "</figcaption>" + svg + "</svg><div class=\"legend\">" +
         legend + "</div></figure>\n";
}

}  // namespace roclip::bench
