#include <catch2/catch.hpp>

#include "harness/report/render.h"
#include "support/results.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

TEST_CASE("a grid shows counts, percentage and interval of each cell", "[report]") {
  const auto text = render_text(summary_of({entry("targeted", "clip", 1, 16), entry("targeted", "roclip", 1, 2)}));
  CHECK_THAT(text, Contains("100.0 % 16/16 [80.6, 100.0]") && Contains("12.5 % 2/16 [3.5, 36.0]"));
  CHECK_THAT(text, !Contains("too weak"));
}

TEST_CASE("an undefended attack below 80 % is marked as too weak to judge a defense", "[report]") {
  const auto summary = summary_of({entry("targeted", "clip", 1, 12), entry("targeted", "roclip", 1, 2)});
  CHECK_THAT(render_text(summary), Contains("attack too weak to judge a defense"));
  CHECK_THAT(render_markdown(summary), Contains("attack too weak to judge a defense"));
  auto held = entry("targeted", "roclip", 1, 2);
  held.acts = "in_training";
  CHECK_THAT(render_text(summary_of({held, entry("targeted", "x", 1, 4)})), !Contains("too weak"));
}

TEST_CASE("several seeds show their mean and its interval, and how many there are", "[report]") {
  auto cells = seeds_of(3);
  cells[5] = not_ok(cells[5], Status::kFailed, "no");
  CHECK_THAT(render_text(summary_of(cells)), Contains("93.8 % 3 seeds [") && Contains("12.5 % 2 of 3 seeds ["));
}

TEST_CASE("a cell that failed shows its status in the grid and its reason below", "[report]") {
  const auto failed = not_ok(entry("t", "roclip", 1, 0), Status::kDiverged, "loss is nan at epoch 3 step 112");
  const auto summary = summary_of({entry("t", "clip", 1, 16), failed});
  CHECK_THAT(render_text(summary), Contains("diverged") && Contains("loss is nan at epoch 3 step 112"));
  CHECK_THAT(render_markdown(summary), Contains("loss is nan at epoch 3 step 112"));
  CHECK_THAT(render_csv(summary), Contains("t,roclip,,diverged,"));
}

TEST_CASE("bold stands only where the corrected test says so", "[report]") {
  CHECK_THAT(render_markdown(summary_of(seeds_of(6))), Contains("**12.5 % 6 seeds"));
  CHECK_THAT(render_latex(summary_of(seeds_of(6))), Contains("\\textbf{12.5\\,\\%}"));
  CHECK_THAT(render_text(summary_of(seeds_of(6))), Contains("]*"));
  const auto few = summary_of(seeds_of(5));
  CHECK_THAT(render_markdown(few), !Contains("**12.5") && Contains("5 seeds cannot show a difference"));
  CHECK_THAT(render_latex(few), !Contains("\\textbf"));
}

TEST_CASE("what came from data is escaped in every format", "[report]") {
  const std::string odd = "a|b_c & \"<script>\" 50%";
  auto bad = not_ok(entry(odd, odd, 2, 0), Status::kFailed, "reason with <tags> & \"quotes\"");
  const Study study = study_of(matrix_result_of({entry(odd, odd, 1, 3), bad}), "no/such/folder");
  const auto summary = summarise(study);
  CHECK_THAT(render_markdown(summary), Contains("a\\|b\\_c & \"&lt;script>\" 50%"));
  CHECK_THAT(render_latex(summary), Contains("a\\textbar{}b\\_c \\& \"\\textless{}script\\textgreater{}\" 50\\%"));
  CHECK_THAT(render_csv(summary), Contains("\"a|b_c & \"\"<script>\"\" 50%\""));
  CHECK_THAT(render_junit(study), Contains("a|b_c &amp; &quot;&lt;script&gt;&quot; 50%") && !Contains("<tags>") &&
                                      Contains("tests=\"2\" errors=\"1\""));
}

TEST_CASE("no format sends escape sequences of labels, or formulas to a spreadsheet", "[report]") {
  const std::string odd = "=x\x1b[2J";
  const auto bad = not_ok(entry(odd, "b", 1, 0), Status::kFailed, "why\x1b[2J");
  const Study study = study_of(matrix_result_of({entry(odd, "a", 1, 3), bad}, odd), "no/such/folder");
  const auto summary = summarise(study);
  for (const auto& text : {render_text(summary), render_markdown(summary), render_latex(summary), render_csv(summary),
                           render_junit(study)}) {
    CHECK_THAT(text, !Contains("\x1b"));
  }
  CHECK_THAT(render_csv(summary), Contains(",'=x"));
}

TEST_CASE("a metric with a value instead of counts is shown in its unit, with an interval over seeds", "[report]") {
  std::vector<CellEntry> cells;
  for (std::int64_t seed = 1; seed <= 6; ++seed) {
    for (const char* defense : {"clip", "outlier"}) {
      const double value = (defense[0] == 'c' ? 0.5 : 0.9) + 0.01 * static_cast<double>(seed);
      auto& cell = cells.emplace_back(entry("t", defense, seed, 1));
      cell.metrics = {
          {"detection/1",
           {.measures = Measures::kDetection, .headline = "AUROC", .values = {{.name = "AUROC", .value = value}}}}};
    }
  }
  auto result = matrix_result_of(cells);
  result.metrics = {"detection/1"};
  const auto text = render_text(summarise(study_of(result, "no/such/folder")));
  CHECK_THAT(text, Contains("0.535 6 seeds [0.515, 0.555]") && Contains("0.935 6 seeds [0.915, 0.955]*"));
  CHECK_THAT(text, !Contains("too weak"));
  result.cells.resize(2);
  CHECK_THAT(render_text(summarise(study_of(result, "no/such/folder"))), Contains("0.51   0.91"));
}
