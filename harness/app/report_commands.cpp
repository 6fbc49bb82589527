#include <cstdio>

#include "harness/app/subcommands.h"
#include "harness/record/files.h"
#include "harness/report/check.h"
#include "harness/report/claims.h"
#include "harness/report/compare.h"
#include "harness/report/html.h"
#include "harness/report/render.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

struct ReportOptions {
  Paths outs;
  std::string format = "text";
  std::filesystem::path output;  ///< "" = standard output
  std::filesystem::path gates;   ///< check: matrix file, or array of gates; "" = those stored with the results
  std::filesystem::path claims;  ///< verify
};

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

/// @return 0, 11 or 12. @throws Error(kEmpty) without any gate
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
  const std::string where = options.gates.empty() ? "gates of the results" : options.gates.string() + ": /gates";
  const auto verdicts = check(study, read_gates(gates, where), base);
  put(options, options.format == "json"    ? to_text(to_json(verdicts)) + "\n"
               : options.format == "junit" ? render_junit(verdicts, study.name)
               : options.format == "md"    ? render_markdown(verdicts)
                                           : render_text(verdicts));
  return exit_code(verdicts);
}

std::shared_ptr<ReportOptions> add_results_options(CLI::App* command, const std::vector<std::string>& formats) {
  const auto options = std::make_shared<ReportOptions>();
  command->add_option("out", options->outs, "output folders of `run`, or their results.json")
      ->required()
      ->type_name("FOLDER");
  command->add_option("--format", options->format, "what to print")
      ->check(CLI::IsMember(formats))
      ->capture_default_str();
  command->add_option("--output,-o", options->output, "file to write instead of printing")->type_name("FILE");
  return options;
}

}  // namespace

void add_results_commands(CLI::App& app, Invocation& invocation) {
  auto* report =
      add_command(app, "report", "tables with intervals and paired tests, as text, HTML, LaTeX, CSV and more",
                  {"out", "out --format html -o report.html"});
  const auto reported = add_results_options(report, {"text", "md", "csv", "latex", "html", "junit", "json"});
  report->callback([reported] { put(*reported, rendered(*reported, load_study(reported->outs))); });

  auto* check = add_command(app, "check", "compare results with gates: exit code 0 pass, 11 fail, 12 inconclusive",
                            {"out", "out --gates results/smoke/matrix.json --format junit -o gates.xml"});
  const auto checked = add_results_options(check, {"text", "md", "junit", "json"});
  check->add_option("--gates", checked->gates, "matrix file, or array of gates; default: those of the run")
      ->type_name("FILE");
  check->callback([checked, &invocation] { invocation.code = check_command(*checked); });

  auto* compare = add_command(app, "compare", "show what changed between two sets of results", {"out.old out"});
  const auto compared = add_results_options(compare, {"text", "json"});
  compare->get_option("out")->expected(2);
  compare->callback([compared] {
    const auto found = bench::compare(load_study({compared->outs.at(0)}), load_study({compared->outs.at(1)}));
    put(*compared, compared->format == "json" ? to_text(found) + "\n" : render_comparison(found));
  });

  auto* verify =
      add_command(app, "verify", "compare results with published claims", {"out --claims results/paper/claims.json"});
  const auto verified = add_results_options(verify, {"text", "md", "json"});
  verify->add_option("--claims", verified->claims, "claims file, such as results/paper/claims.json")
      ->required()
      ->type_name("FILE");
  // 0 whatever the verdicts are: a claim that does not hold here is a result.
  verify->callback([verified] {
    const auto list = bench::verify(load_study(verified->outs), read_claims(verified->claims));
    put(*verified, verified->format == "json" ? to_text(to_json(list)) + "\n"
                   : verified->format == "md" ? render_markdown(list)
                                              : render_text(list));
  });
}

}  // namespace roclip::bench
