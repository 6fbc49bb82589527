/// How subcommands and options are put into words, for `--help` and mistakes.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace roclip::bench {

/// CLI11's layout with wrapped descriptions, and with examples before options.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* command) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

/// The first line of a subcommand's description.
std::string summary_of(const CLI::App& command);

/// "roclip-bench plugin info"
std::string full_name(const CLI::App& command);

/// What an option takes: "FILE", "auto|N"; "" for a flag. Words in lower case are meant literally.
std::string value_of(const CLI::Option& option);

/// Subcommands that a person is meant to see, in the order of the table.
std::vector<const CLI::App*> shown_subcommands(const CLI::App& command);
/// Options, or positional arguments, of this very subcommand.
std::vector<const CLI::Option*> options_of(const CLI::App& command, bool positional);

/// What is wrong with a line that the table refused, the nearest thing that it knows, and where to read on.
std::string mistake(const CLI::App& table, const CLI::ParseError& error);

/// `text` with line breaks, so that no line is longer than `width` unless a word is.
std::string wrapped(const std::string& text, std::size_t width);

}  // namespace roclip::bench
