#include <catch2/catch.hpp>

#include "harness/report/chart.h"

using namespace roclip::bench;

namespace {

Chart scatter(const std::vector<std::pair<double, double>>& points) {
  Chart chart{.title = "t", .x_name = "x", .y_name = "y", .series = {}, .x_ticks = {}};
  chart.x_shares = true;
  for (const auto& [x, y] : points) {
    chart.series.push_back(
        {.name = "defense " + std::to_string(chart.series.size()), .points = {{x, y}}, .line = false});
  }
  return chart;
}

/// How many of the names stand in the picture, beside their points.
std::size_t named(const Chart& chart) {
  const auto svg = render_svg(chart);
  const auto picture = svg.substr(0, svg.find("</svg>"));
  std::size_t count = 0;
  for (const auto& series : chart.series) {
    CHECK(svg.find("</i>" + series.name + "</span>") != std::string::npos);  // the legend
    count += picture.find(">" + series.name + "</text>") != std::string::npos;
  }
  return count;
}

}  // namespace

TEST_CASE("points apart from each other have their names beside them", "[report]") {
  CHECK(named(scatter({{0.1, 0.1}, {0.3, 0.5}, {0.4, 0.9}})) == 3);
}

TEST_CASE("a point has four corners, and names that find no room stand in the legend", "[report]") {
  std::vector points(6, std::pair(0.4, 0.5));
  points.emplace_back(0.9, 0.1);
  CHECK(named(scatter(points)) == 4 + 1);
}
