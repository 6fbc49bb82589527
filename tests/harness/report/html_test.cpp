#include <catch2/catch.hpp>

#include "harness/report/html.h"
#include "support/results.h"
#include "support/scratch_folder.h"

using namespace roclip::bench;
using Catch::Contains;

TEST_CASE("an HTML report is one file without links out, and escapes what came from data", "[report]") {
  const std::string odd = "<img src=x onerror=alert(1)>";
  auto failed = not_ok(entry(odd, "roclip", 1, 0), Status::kFailed, "<script>alert(2)</script>");
  const auto study = study_of(matrix_result_of({entry(odd, "clip", 1, 15), failed}, odd), "no/such/folder");
  const auto html = render_html(study, summarise(study));
  CHECK_THAT(html, !Contains("<img src=x") && !Contains("<script") && !Contains("http:") && !Contains("https:"));
  CHECK_THAT(html, Contains("&lt;img src=x onerror=alert(1)&gt;") && Contains(">93.8</a>") && Contains("failed"));
}

TEST_CASE("an HTML report of an empty study is still a page", "[report]") {
  const auto study = study_of(matrix_result_of({}), "no/such/folder");
  CHECK_THAT(render_html(study, summarise(study)), Contains("</html>"));
}

TEST_CASE("a number of an HTML report leads to its cell and to the command that runs it again", "[report]") {
  const ScratchFolder folder;
  auto stored = entry("t", "clip", 1, 15);
  store(folder.path(), stored, "1111111111111110");
  const auto study = study_of(matrix_result_of({stored, entry("t", "roclip", 1, 2)}), folder.path());
  const auto html = render_html(study, summarise(study));
  CHECK_THAT(html, Contains("<a href=\"#t-clip-s1\">93.8</a>") && Contains("<tr class=\"ok\" id=\"t-clip-s1\">"));
  CHECK_THAT(html, Contains("<code>roclip-bench replay " + (folder / stored.file).string() + "</code>"));
  CHECK_THAT(html, Contains("<code>roclip-bench run MATRIX --rerun --only t-roclip-s1</code>"));
  // The better rank comes first.
  CHECK(html.find("scope=\"row\">roclip<") < html.find("scope=\"row\">clip<"));
}

TEST_CASE("an HTML report says first which cells are not there, and nothing of it if all are", "[report]") {
  const auto page_of = [](const Study& study) { return render_html(study, summarise(study)); };
  const auto done = entry("t", "clip", 1, 15);
  const auto failed = not_ok(entry("t", "roclip", 1, 0), Status::kFailed, "a reason");
  const auto not_run = not_ok(entry("t", "roclip", 2, 0), Status::kMissing, "");
  CHECK_THAT(page_of(study_of(matrix_result_of({done}), "")), !Contains("see Cells"));
  CHECK_THAT(page_of(study_of(matrix_result_of({done, failed}), "")),
             Contains(">1 cell did not end with status ok: see Cells."));
  CHECK_THAT(page_of(study_of(matrix_result_of({done, failed, not_run}), "")),
             Contains(">1 cell did not end with status ok, 1 cell not run: see Cells."));
}

TEST_CASE("a label that looks like a mark of the page's template stays a label", "[report]") {
  const auto study = study_of(matrix_result_of({entry("<!--cells-->", "clip", 1, 15)}), "no/such/folder");
  CHECK_THAT(render_html(study, summarise(study)), Contains("&lt;!--cells--&gt;"));
}
