/// The subcommands that read results: report, check, compare, verify. Each returns an exit code and throws Error.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace roclip::bench {

struct ReportOptions {
  std::vector<std::filesystem::path> outs;
  std::string format = "text";   ///< text, md, csv, latex, html, junit, json
  std::filesystem::path output;  ///< "" = standard output
  std::filesystem::path gates;   ///< check: matrix file, or array of gates; "" = those stored with the results
  std::filesystem::path claims;  ///< verify
};

int report_command(const ReportOptions& options);
/// @return 0, 11 or 12. @throws Error(kEmpty) without any gate
int check_command(const ReportOptions& options);
/// Of exactly two folders.
int compare_command(const ReportOptions& options);
/// @return 0 whatever the verdicts are: a claim that does not hold here is a result
int verify_command(const ReportOptions& options);

}  // namespace roclip::bench
