#include "harness/report/chart.h"

#include <algorithm>
#include <cmath>

#include "harness/report/render.h"

namespace roclip::bench {

namespace {

constexpr double kWidth = 420, kHeight = 260, kLeft = 52, kRight = 12, kTop = 12, kBottom = 40;

/// A linear or logarithmic axis between two places of the picture.
struct Axis {
  double low, high, from, to;
  bool log = false;

  double at(double value) const {
    const double l = log ? std::log10(low) : low, h = log ? std::log10(high) : high;
    const double v = log ? std::log10(value) : value;
    return from + (h > l ? (v - l) / (h - l) : 0.5) * (to - from);
  }
};

/// 1, 2 or 5 times a power of ten, so that about five fit.
std::vector<double> ticks(double low, double high) {
  if (high <= low) return {low};
  const double raw = (high - low) / 5, power = std::pow(10, std::floor(std::log10(raw)));
  const double step = power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
  std::vector<double> values;
  for (double v = std::ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) values.push_back(v);
  return values;
}

std::string number(double value, bool share) {
  if (std::abs(value) < 1e-12) value = 0;  // no "-0"
  return share ? format("%.4g %%", 100 * value) : format("%.4g", value);
}

struct Box {
  double left, right, top, bottom;
  bool meets(const Box& b) const { return left < b.right && b.left < right && top < b.bottom && b.top < bottom; }
};

/// The names of the series of a scatter, each in a corner beside its first point where nothing else is. A name that
/// finds no room stands in the legend only.
std::string point_names(const Chart& chart, const Axis& x, const Axis& y) {
  constexpr double kCharacter = 6, kAscent = 10, kDescent = 3, kRadius = 6;
  std::vector<Box> taken;
  for (const auto& series : chart.series) {
    for (const auto& point : series.points) {
      const double px = x.at(point.x), py = y.at(point.y);
      taken.push_back({px - kRadius, px + kRadius, py - kRadius, py + kRadius});
    }
  }
  std::string svg;
  for (const auto& series : chart.series) {
    if (series.line || series.points.empty()) continue;
    const double px = x.at(series.points.front().x), py = y.at(series.points.front().y);
    const double width = kCharacter * static_cast<double>(series.name.size());
    for (const auto& [left, below] : {std::pair(false, false), {true, false}, {false, true}, {true, true}}) {
      const double begin = left ? px - 8 - width : px + 8, baseline = below ? py + 16 : py - 7;
      const Box box{begin, begin + width, baseline - kAscent, baseline + kDescent};
      const bool inside = box.left >= kLeft && box.right <= kWidth && box.top >= 0 && box.bottom <= kHeight - kBottom;
      if (!inside || std::ranges::any_of(taken, [&](const Box& other) { return box.meets(other); })) continue;
      svg += format("<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", left ? px - 8 : px + 8, baseline,
                    left ? "end" : "start") +
             escape_xml(series.name) + "</text>";
      taken.push_back(box);
      break;
    }
  }
  return svg;
}

void widen(Axis& axis, double value) {
  axis.low = std::min(axis.low, value);
  axis.high = std::max(axis.high, value);
}

}  // namespace

std::string render_svg(const Chart& chart) {
  Axis x{1e300, -1e300, kLeft, kWidth - kRight, chart.log_x}, y{1e300, -1e300, kHeight - kBottom, kTop};
  for (const auto& series : chart.series) {
    for (const auto& point : series.points) {
      widen(x, point.x);
      widen(y, point.y);
    }
  }
  if (x.low > x.high) return "";
  if (chart.shares) y.low = 0, y.high = 1;
  if (chart.y_range) y.low = std::min(y.low, chart.y_range->low), y.high = std::max(y.high, chart.y_range->high);
  if (chart.x_shares) {
    double right = x.high;
    for (const auto& series : chart.series) {
      for (const auto& point : series.points) right = std::max(right, point.x_range ? point.x_range->high : point.x);
    }
    x.low = 0, x.high = std::min(1.0, 1.15 * right);
  } else if (!chart.log_x && x.low == x.high) {
    x.low -= 0.5, x.high += 0.5;
  }

  std::string svg = format("<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"", kWidth, kHeight) +
                    escape_xml(chart.title) + "\">";
  const double bottom = kHeight - kBottom;
  for (const double tick : ticks(y.low, y.high)) {
    svg += format("<line class=\"grid\" x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\"/>", kLeft, kWidth - kRight,
                  y.at(tick), y.at(tick));
    svg += format("<text class=\"tick\" x=\"%g\" y=\"%.1f\" text-anchor=\"end\">", kLeft - 6, y.at(tick) + 4) +
           number(tick, chart.shares) + "</text>";
  }
  for (const double tick : chart.x_ticks.empty() ? ticks(x.low, x.high) : chart.x_ticks) {
    svg += format("<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\"/>", x.at(tick), x.at(tick), kTop,
                  bottom);
    svg += format("<text class=\"tick\" x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">", x.at(tick), bottom + 15) +
           number(tick, chart.x_shares) + "</text>";
  }
  svg += format("<text class=\"axis\" x=\"%g\" y=\"%g\" text-anchor=\"middle\">", (kLeft + kWidth - kRight) / 2,
                kHeight - 6) +
         escape_xml(chart.x_name) + "</text>";
  svg += format("<text class=\"axis\" transform=\"translate(12 %g) rotate(-90)\" text-anchor=\"middle\">",
                (kTop + bottom) / 2) +
         escape_xml(chart.y_name) + "</text>";
  for (const auto& series : chart.series) {
    const std::string classes = format("s%d%s", series.colour % 8, series.dashed ? " dashed" : "");
    std::string path;
    for (const auto& point : series.points) {
      const double px = x.at(point.x), py = y.at(point.y);
      path += format("%s%.1f %.1f", path.empty() ? "M" : "L", px, py);
      if (point.y_range) {
        svg += format("<line class=\"bar %s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", classes.c_str(), px,
                      px, y.at(point.y_range->low), y.at(point.y_range->high));
      }
      if (point.x_range) {
        svg += format("<line class=\"bar %s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", classes.c_str(),
                      x.at(point.x_range->low), x.at(point.x_range->high), py, py);
      }
      svg += format("<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%g\"><title>", classes.c_str(), px, py,
                    series.line ? 3.0 : 5.0) +
             escape_xml(point.label.empty() ? series.name : point.label) + "</title></circle>";
    }
    if (series.line) svg += "<path class=\"line " + classes + "\" d=\"" + path + "\"/>";
  }
  svg += point_names(chart, x, y) + "</svg>";

  std::string legend;
  for (const auto& series : chart.series) {
    legend += format("<span><i class=\"key s%d%s\"></i>", series.colour % 8, series.dashed ? " dashed" : "") +
              escape_xml(series.name) + "</span> ";
  }
  return "<figure><figcaption>" + escape_xml(chart.title) + "</figcaption>" + svg + "<div class=\"legend\">" + legend +
         "</div></figure>\n";
}

}  // namespace roclip::bench
