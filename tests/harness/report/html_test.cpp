#include <catch2/catch.hpp>

#include "harness/report/html.h"
#include "support/results.h"

using namespace roclip::bench;
using Catch::Contains;

TEST_CASE("an HTML report is one file without links out, and escapes what came from data", "[report]") {
  const std::string odd = "<img src=x onerror=alert(1)>";
  auto failed = not_ok(entry(odd, "roclip", 1, 0), Status::kFailed, "<script>alert(2)</script>");
  const auto study = study_of(matrix_result_of({entry(odd, "clip", 1, 15), failed}, odd), "no/such/folder");
  const auto html = render_html(study, summarise(study));
  CHECK_THAT(html, !Contains("<img src=x") && !Contains("<script") && !Contains("http:") && !Contains("https:"));
  CHECK_THAT(html, Contains("&lt;img src=x onerror=alert(1)&gt;") && Contains("93.8 %") && Contains("failed"));
}

TEST_CASE("an HTML report of an empty study is still a page", "[report]") {
  const auto study = study_of(matrix_result_of({}), "no/such/folder");
  CHECK_THAT(render_html(study, summarise(study)), Contains("</html>"));
}
