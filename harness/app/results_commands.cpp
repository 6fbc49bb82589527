#include "harness/app/report_commands.h"
#include "harness/app/subcommands.h"

namespace roclip::bench {

namespace {

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
  report->callback([reported, &invocation] { invocation.code = report_command(*reported); });

  auto* check = add_command(app, "check", "compare results with gates: exit code 0 pass, 11 fail, 12 inconclusive",
                            {"out", "out --gates results/smoke/matrix.json --format junit -o gates.xml"});
  const auto checked = add_results_options(check, {"text", "md", "junit", "json"});
  check->add_option("--gates", checked->gates, "matrix file, or array of gates; default: those of the run")
      ->type_name("FILE");
  check->callback([checked, &invocation] { invocation.code = check_command(*checked); });

  auto* compare = add_command(app, "compare", "show what changed between two sets of results", {"out.old out"});
  const auto compared = add_results_options(compare, {"text", "json"});
  compare->get_option("out")->expected(2);
  compare->callback([compared, &invocation] { invocation.code = compare_command(*compared); });

  auto* verify =
      add_command(app, "verify", "compare results with published claims", {"out --claims results/paper/claims.json"});
  const auto verified = add_results_options(verify, {"text", "md", "json"});
  verify->add_option("--claims", verified->claims, "claims file, such as results/paper/claims.json")
      ->required()
      ->type_name("FILE");
  verify->callback([verified, &invocation] { invocation.code = verify_command(*verified); });
}

}  // namespace roclip::bench
