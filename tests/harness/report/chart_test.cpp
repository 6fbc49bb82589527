#include <catch2/catch.hpp>

#include "harness/report/chart.h"

using namespace roclip::bench;
using Catch::Contains;

TEST_CASE("a chart has a legend, names on hover and bars, and escapes what came from data", "[report]") {
  const Chart chart{.title = "t<",
                    .x_name = "x<",
                    .y_name = "y<",
                    .series = {{"s<", {{0.5, 0.5, "p<", Interval{0.3, 0.7}}}, 9}},
                    .x_shares = true,
                    .y_shares = true};
  const auto svg = render_svg(chart);
  for (const char* text : {">t&lt;<", ">x&lt;<", ">y&lt;<", "</i>s&lt;</span>", "<title>p&lt;</title>"}) {
    CHECK_THAT(svg, Contains(text));
  }
  // y from 0 to 100 % between 220 and 12, x from 0 to the only point between 52 and 408.
  CHECK_THAT(svg, Contains("<line class=\"bar s1 dashed\" x1=\"408.0\" y1=\"157.6\" x2=\"408.0\" y2=\"74.4\"/>"));
  CHECK_THAT(svg, Contains(">100 %</text>") && Contains(">50 %</text>"));
}

TEST_CASE("names beside a chart stand in the order of their dots, a line to each, however close these are",
          "[report]") {
  Chart chart{.title = "t", .x_name = "x", .y_name = "y", .named = true};
  for (const char* name : {"low", "high", "also high"}) {
    chart.series.push_back({name, {{1, name[0] == 'l' ? 0.0 : 1.0, "p"}}});
  }
  const auto svg = render_svg(chart);
  CHECK(svg.find(">high</text>") < svg.find(">also high</text>"));
  CHECK(svg.find(">also high</text>") < svg.find(">low</text>"));
  CHECK_THAT(svg, Contains("<line class=\"leader\" x1=\"285.0\" y1=\"220.0\" x2=\"296.0\" y2=\"220.0\"/>"));
  CHECK_THAT(svg, !Contains("</i>low</span>"));
}

TEST_CASE("values far apart stand on a logarithmic axis, others on a linear one", "[report]") {
  const auto drawn = [](const std::vector<double>& places) {
    Chart chart{.title = "t", .x_name = "x", .y_name = "y", .x_ticks = places};
    chart.series.push_back({"s", {{places.at(1), 0, "p"}}});
    return render_svg(chart);
  };
  CHECK_THAT(drawn({1, 10, 100}), Contains("cx=\"230.0\""));
  CHECK_THAT(drawn({1, 2, 3}), Contains("cx=\"230.0\""));
}

TEST_CASE("an axis begins at 0, or below it where values are negative", "[report]") {
  const auto drawn = [](double y) {
    return render_svg({.title = "t", .x_name = "x", .y_name = "y", .series = {{"s", {{1, y, "p"}}}}});
  };
  CHECK_THAT(drawn(3), Contains(">0</text>") && Contains(">3</text>"));
  CHECK_THAT(drawn(-0.3), Contains(">-0.3</text>") && Contains(">0</text>") && !Contains(">-0</text>"));
}
