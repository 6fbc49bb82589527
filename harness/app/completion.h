/// Completion on the command line: the shell asks the program itself, which asks its table of subcommands and options.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace roclip::bench {

struct Candidate {
  std::string text;
  std::string what;  ///< a few words for shells that show them; may be empty
};

/// What the last word of a line may become: subcommands, options, their values, names of plugins and data sets, ids of
/// cells. Starts neither LibTorch nor a plugin. Empty where a file is wanted: shells know about files.
/// @param words the line without the program's name, up to the cursor; the last one is incomplete, "" after a space
std::vector<Candidate> candidates(const CLI::App& table, const std::vector<std::string>& words);

/// `roclip-bench complete -- WORD...` prints candidates, one a line, and what they are behind a tab. What the scripts
/// call; no subcommand of the table, so that words are never taken for its options.
inline constexpr const char* kCompleteCommand = "complete";

/// The script that makes a shell ask. @param shell bash, zsh or fish
std::string completion_script(const std::string& shell);

}  // namespace roclip::bench
