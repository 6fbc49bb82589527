#include "harness/app/completion.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "harness/app/help.h"
#include "harness/record/paths.h"
#include "harness/study/matrix.h"
#include "stamps.h"

namespace roclip::bench {

namespace {

namespace fs = std::filesystem;

/// A path as a line has it: without the quotes and backslashes of shells, a leading ~/ being the home folder.
fs::path path_of(const std::string& word) {
  std::string path;
  char quote = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else {
      path += c == '\\' && quote != '\'' && i + 1 < word.size() ? word[++i] : c;
    }
  }
  const char* home = std::getenv("HOME");
  return home != nullptr && word.starts_with("~/") ? home + path.substr(1) : path;
}

/// How far a line has come.
struct Position {
  const CLI::App* command;
  const CLI::Option* open = nullptr;                      ///< the option whose value comes next
  std::size_t arguments = 0;                              ///< positional ones of this subcommand so far
  std::map<std::string, std::vector<std::string>> given;  ///< name of option or argument -> its values

  std::vector<fs::path> paths(const std::string& name) const {
    const auto values = given.find(name);
    if (values == given.end()) return {};
    std::vector<fs::path> paths;
    for (const auto& word : values->second) paths.push_back(path_of(word));
    return paths;
  }
};

/// Of this subcommand or of one above it.
const CLI::Option* find_option(const CLI::App* command, const std::string& name) {
  for (; command != nullptr; command = command->get_parent()) {
    if (const auto* option = command->get_option_no_throw(name)) return option;
  }
  return nullptr;
}

const CLI::Option* next_argument(const Position& at) {
  const auto arguments = options_of(*at.command, true);
  if (arguments.empty()) return nullptr;
  return arguments[std::min(at.arguments, arguments.size() - 1)];  // the last one may take several
}

void advance(Position& at, const std::string& word) {
  if (at.open != nullptr) {
    at.given[at.open->get_name()].push_back(word);
    at.open = nullptr;
  } else if (word.starts_with('-')) {
    const auto equals = word.find('=');
    const auto* option = find_option(at.command, word.substr(0, equals));
    if (option == nullptr || option->get_items_expected_max() == 0) return;
    if (equals == std::string::npos) {
      at.open = option;
    } else {
      at.given[option->get_name()].push_back(word.substr(equals + 1));
    }
  } else if (const auto subs = shown_subcommands(*at.command); !subs.empty()) {
    const auto sub = std::ranges::find(subs, word, [](const CLI::App* app) { return app->get_name(); });
    if (sub != subs.end()) at.command = *sub;
  } else if (const auto* argument = next_argument(at)) {
    at.given[argument->get_name()].push_back(word);
    ++at.arguments;
  }
}

/// Stems of the files with this extension, sorted.
std::vector<Candidate> stems(const fs::path& folder, const std::string& extension) {
  std::set<std::string> names;
  std::error_code none;
  for (fs::recursive_directory_iterator file(folder, none), end; file != end; file.increment(none)) {
    if (file->path().extension() == extension) names.insert(file->path().stem().string());
  }
  std::vector<Candidate> result;
  for (const auto& name : names) result.push_back({name, ""});
  return result;
}

std::vector<Candidate> plugin_names(const Position& at) {
  std::vector<Candidate> names;
  try {
    for (const auto& plugin : stamped_plugins(plugin_search_path(at.paths("--plugin-path")))) {
      if (plugin.refused.empty()) names.push_back({plugin.stamp.name(), plugin.stamp.summary});
    }
  } catch (const Error&) {  // a folder that is not there
  }
  return names;
}

/// A data set that comes with the program has a recipe.
std::vector<Candidate> data_names() {
  std::vector<Candidate> names;
  std::error_code none;
  for (const auto& folder : fs::directory_iterator(share_dir(), none)) {
    if (fs::exists(folder.path() / "recipe.json")) names.push_back({folder.path().filename().string(), ""});
  }
  return names;
}

std::vector<Candidate> cell_ids(const Position& at) {
  const auto out = at.paths("--out");
  return stems((out.empty() ? "out" : out.back()) / "cells", ".json");
}

/// attack=, defense= and seed=; their values, if the matrix file is there to ask.
std::vector<Candidate> terms(const Position& at) {
  std::vector<Candidate> result = {{"attack=", ""}, {"defense=", ""}, {"seed=", ""}};
  const auto file = at.paths("matrix");
  if (file.empty()) return result;
  try {
    const Matrix matrix = load_matrix(file.back());
    for (const auto& entry : matrix.attacks) result.push_back({"attack=" + entry.plugin, entry.label});
    for (const auto& entry : matrix.defenses) result.push_back({"defense=" + entry.plugin, entry.label});
    for (const auto seed : matrix.seeds) result.push_back({"seed=" + std::to_string(seed), ""});
  } catch (const Error&) {  // not the moment to complain
  }
  return result;
}

/// Of "auto|N": auto.
std::vector<Candidate> literals(const std::string& value) {
  std::vector<Candidate> result;
  for (const auto& choice : CLI::detail::split(value, '|')) {
    if (!choice.empty() && std::ranges::none_of(choice, [](unsigned char c) { return std::isupper(c) || c == ' '; })) {
      result.push_back({choice, ""});
    }
  }
  return result;
}

std::vector<Candidate> values(const CLI::Option& option, const Position& at) {
  const auto value = value_of(option);
  if (value == "PLUGIN") return plugin_names(at);
  if (value == "DATA") return data_names();
  if (value == "CELL") return cell_ids(at);
  if (value == "TERMS") return terms(at);
  return literals(value);
}

/// Of this subcommand and of those above it.
std::vector<Candidate> options(const Position& at) {
  std::vector<Candidate> result;
  std::set<std::string> seen;  // every level has its own --help
  for (const auto* command = at.command; command != nullptr; command = command->get_parent()) {
    for (const auto* option : options_of(*command, false)) {
      if (seen.insert(option->get_name()).second) result.push_back({option->get_name(), option->get_description()});
    }
  }
  return result;
}

}  // namespace

std::vector<Candidate> candidates(const CLI::App& table, const std::vector<std::string>& words) {
  Position at{.command = &table, .given = {}};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) advance(at, words[i]);
  const std::string last = words.empty() ? "" : words.back();

  std::vector<Candidate> all;
  std::string fixed;  // the part of the word that stands
  if (at.open == nullptr && last.starts_with('-')) {
    const auto equals = last.find('=');
    const auto* option = equals == std::string::npos ? nullptr : find_option(at.command, last.substr(0, equals));
    if (option != nullptr) {
      fixed = last.substr(0, equals + 1);
      all = values(*option, at);
    } else {
      all = options(at);
    }
  } else if (at.open == nullptr && !shown_subcommands(*at.command).empty()) {
    for (const auto* sub : shown_subcommands(*at.command)) all.push_back({sub->get_name(), summary_of(*sub)});
  } else if (const auto* option = at.open != nullptr ? at.open : next_argument(at)) {
    fixed = last.substr(0, last.rfind(',') + 1);
    all = values(*option, at);
  }

  std::vector<Candidate> fitting;
  for (auto& candidate : all) {
    candidate.text = fixed + candidate.text;
    const bool is_begun =
        candidate.text.ends_with('=') && candidate.text == last;  // "seed=" says no more than is there
    if (candidate.text.starts_with(last) && !is_begun) fitting.push_back(std::move(candidate));
  }
  return fitting;
}

std::string completion_script(const std::string& shell) {
  if (shell == "bash") {
    return R"(# Completion of roclip-bench for bash. To have it in every shell:
#   roclip-bench completion bash | install -Dm644 /dev/stdin ~/.local/share/bash-completion/completions/roclip-bench
# In this one: source <(roclip-bench completion bash)
_roclip_bench() {
  local -a words=()
  local line=${COMP_LINE:0:COMP_POINT} word blanks i
  for ((i = 0; i <= COMP_CWORD; ++i)); do  # as the line has them: bash has also split them at = and :
    blanks=${line%%[![:space:]]*} line=${line#"${line%%[![:space:]]*}"} word=${COMP_WORDS[i]}
    ((i == COMP_CWORD)) && word=$line
    [[ -n $blanks || $i == 0 ]] && words+=("")
    words[-1]+=$word line=${line#"$word"}
  done
  mapfile -t COMPREPLY < <("${words[0]/#\~/$HOME}" complete -- "${words[@]:1}" 2>/dev/null | cut -f 1)
  word=${words[-1]}
  COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*[=:]}"}"}")  # bash replaces what follows the last = or :
  [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -o bashdefault -o default -F _roclip_bench roclip-bench
)";
  }
  if (shell == "zsh") {
    return R"(#compdef roclip-bench
# Completion of roclip-bench for zsh. To have it in every shell, in a folder of $fpath:
#   roclip-bench completion zsh | install -Dm644 /dev/stdin ~/.zfunc/_roclip-bench      (and fpath+=~/.zfunc before compinit)
# In this one: source <(roclip-bench completion zsh)
_roclip-bench() {
  local -a found shown ending
  found=("${(@f)$("${words[1]/#\~/$HOME}" complete -- "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
  [[ -z $found ]] && { _files; return }
  shown=("${(@)${(@)found/:/\\:}/$'\t'/:}")
  [[ $found[1] == *= ]] && ending=(-S '')
  _describe 'roclip-bench' shown "${ending[@]}"
}
if [[ $funcstack[1] == _roclip-bench ]]; then _roclip-bench "$@"; else compdef _roclip-bench roclip-bench; fi
)";
  }
  return R"(# Completion of roclip-bench for fish. To have it in every shell:
#   roclip-bench completion fish | install -Dm644 /dev/stdin ~/.config/fish/completions/roclip-bench.fish
# In this one: roclip-bench completion fish | source
function __roclip_bench_complete
  set -l words (commandline -opc)
  set -l word (commandline -ct)
  set -l found ($words[1] complete -- $words[2..] "$word" 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\n' $found
  else
    __fish_complete_path "$word"
  end
end
complete -c roclip-bench -f -a '(__roclip_bench_complete)'
)";
}

}  // namespace roclip::bench
