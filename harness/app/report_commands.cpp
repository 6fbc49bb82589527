#include "harness/app/report_commands.h"

#include <cstdio>

#include "harness/record/files.h"
#include "harness/report/check.h"
#include "harness/report/claims.h"
#include "harness/report/compare.h"
#include "harness/report/html.h"
#include "harness/report/render.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

void put(const ReportOptions& options, const std::string& text) {
  if (options.output.empty()) {
    std::fwrite(text.data(), 1, text.size(), stdout);
  } else {
    write_file(options.output, text, Flush::kNo);
  }
}

std::string rendered(const ReportOptions& options, const Study& study) {
  if (options.format == "junit") return render_junit(study);
  const auto summary = summarise(study);
  if (options.format == "md") return render_markdown(summary);
  if (options.format == "csv") return render_csv(summary);
  if (options.format == "latex") return render_latex(summary);
  if (options.format == "html") return render_html(study, summary);
  if (options.format == "json") return to_text(to_json(summary)) + "\n";
  return render_text(summary);
}

}  // namespace

int report_command(const ReportOptions& options) {
  put(options, rendered(options, load_study(options.outs)));
  return 0;
}

int check_command(const ReportOptions& options) {
  const auto study = load_study(options.outs);
  Json gates = study.gates;
  std::filesystem::path base = options.outs.front();  // of baselines
  if (!std::filesystem::is_directory(base)) base = base.parent_path();
  if (!options.gates.empty()) {
    const Json file = read_json(options.gates, ErrorKind::kMatrix);
    gates = file.is_object() ? file.value("gates", Json::array()) : file;
    base = options.gates.parent_path();
  }
  if (gates.empty()) {
    throw Error(ErrorKind::kEmpty,
                "no gate to check: the results hold none; write \"gates\" into the matrix file, or "
                "give a file of them with --gates");
  }
  const std::string where = options.gates.empty() ? "gates of the results: " : options.gates.string() + ": /gates";
  const auto verdicts = check(study, read_gates(gates, where), base);
  put(options, options.format == "json"    ? to_text(to_json(verdicts)) + "\n"
               : options.format == "junit" ? render_junit(verdicts, study.name)
               : options.format == "md"    ? render_markdown(verdicts)
                                           : render_text(verdicts));
  return exit_code(verdicts);
}

int compare_command(const ReportOptions& options) {
  const auto comparison = compare(load_study({options.outs.at(0)}), load_study({options.outs.at(1)}));
  put(options, options.format == "json" ? to_text(comparison) + "\n" : render_comparison(comparison));
  return 0;
}

int verify_command(const ReportOptions& options) {
  const auto list = verify(load_study(options.outs), read_claims(options.claims));
  put(options, options.format == "json" ? to_text(to_json(list)) + "\n"
               : options.format == "md" ? render_markdown(list)
                                        : render_text(list));
  return 0;
}

}  // namespace roclip::bench
