#include <algorithm>
#include <sstream>

#include "harness/app/subcommands.h"
#include "roclip/params.h"

namespace roclip::bench {

namespace {

constexpr std::size_t kWidth = 110;

std::string defaulted(const CLI::Option& option) {
  std::string value = option.get_default_str();
  CLI::detail::remove_quotes(value);
  return value.empty() ? "" : " (default: " + value + ")";
}

/// `text` with line breaks, so that no line is longer than `width` unless a word is.
std::string wrapped(const std::string& text, std::size_t width) {
  std::istringstream words(text);
  std::string result;
  std::size_t column = 0;
  for (std::string word; words >> word; column += word.size()) {
    if (column > 0) {
      const bool fits = column + 1 + word.size() <= width;
      result += fits ? ' ' : '\n';
      column = fits ? column + 1 : 0;
    }
    result += word;
  }
  return result;
}

/// What an option takes: "FILE", "auto|N"; "" for a flag. Words in lower case are meant literally.
std::string value_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";
  // CLI11 appends what a check asks for: "TEXT:{text,md}", "INT:INT in [1 - 9]".
  const auto full = option.get_type_name();
  const auto colon = full.find(':');
  auto text = colon == std::string::npos ? full : full.substr(colon + 1);
  if (const auto range = text.find('['); range != std::string::npos) {
    text = text.substr(range + 1, text.size() - range - 2);
    return text.replace(text.find(" - "), 3, "..");
  }
  if (!text.starts_with('{')) return text;
  text = text.substr(1, text.size() - 2);
  std::ranges::replace(text, ',', '|');
  return text;
}

/// CLI11's layout with wrapped descriptions, and with examples before options.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* command) const override { return command->get_description() + "\n\n"; }

  std::string make_subcommand(const CLI::App* command) const override {
    std::ostringstream out;
    const auto text = command->get_description(), first_line = text.substr(0, text.find('\n'));
    CLI::detail::format_help(out, command->get_name(), wrapped(first_line, kWidth - column_width_), column_width_);
    return out.str();
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    const auto value = value_of(*option);
    return (value.empty() ? "" : " " + value) + (option->get_allow_extra_args() ? " ..." : "");
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    const bool required = option->get_required() && !option->get_positional();
    return wrapped(option->get_description() + (required ? "; required" : "") + defaulted(*option),
                   kWidth - column_width_);
  }
};

/// Subcommands that a person is meant to see, in the order of the table.
std::vector<const CLI::App*> shown_subcommands(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); });
}

/// The last subcommand that a line names.
const CLI::App* last_command(const CLI::App* command) {
  while (!command->get_subcommands().empty()) command = command->get_subcommands().back();
  return command;
}

std::string unknown_option(const CLI::App* command, const std::string& word) {
  const auto name = word.substr(0, word.find('='));
  if (command->get_option_no_throw(name) != nullptr) {
    return name + " belongs behind its subcommand: " + full_name(*command) + " " + name + " ...";
  }
  std::vector<std::string> known;
  for (const auto* at = command; at != nullptr; at = at->get_parent()) {
    for (const auto* option : at->get_options()) {
      if (!option->get_group().empty() && !option->get_positional()) known.push_back(option->get_name());
    }
  }
  return "unknown option " + name + did_you_mean(name, known);
}

std::string unknown_subcommand(const CLI::App* command, const std::string& word) {
  std::vector<std::string> known;
  for (const auto* sub : shown_subcommands(*command)) known.push_back(sub->get_name());
  if (word.ends_with(".json"))
    return "expected a subcommand before " + word + ", such as " + full_name(*command) + " run";
  if (word.empty()) return "expected a subcommand: " + CLI::detail::join(known, ", ");
  const auto nearest = did_you_mean(word, known);
  return "unknown subcommand \"" + word + "\"" +
         (nearest.empty() ? "; expected one of " + CLI::detail::join(known, ", ") : nearest);
}

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() { return std::make_shared<HelpFormatter>(); }

std::string full_name(const CLI::App& command) {
  return (command.get_parent() == nullptr ? "" : full_name(*command.get_parent()) + " ") + command.get_name();
}

std::string mistake(const CLI::App& table, const CLI::ParseError& error) {
  const auto* command = last_command(&table);
  const auto rest = table.remaining(true);
  const bool group = !shown_subcommands(*command).empty();
  std::string text = (command == &table ? "" : command->get_name() + ": ") + error.what();
  if (group && rest.empty()) text = unknown_subcommand(command, "");
  if (!rest.empty() && (group || error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError))) {
    const auto option = std::ranges::find_if(rest, [](const auto& word) { return word.starts_with('-'); });
    if (option != rest.end() && (!group || option == rest.begin())) {
      text = unknown_option(command, *option);
    } else {
      text = group ? unknown_subcommand(command, rest.front()) : "unexpected argument \"" + rest.front() + "\"";
    }
  }
  return text + "\nSee " + full_name(*command) + " --help";
}

}  // namespace roclip::bench
