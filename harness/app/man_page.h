/// The manual page.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace roclip::bench {

/// roclip-bench(1) in roff's man macros, made from the table of subcommands and options.
std::string man_page(const CLI::App& table, const std::string& version);

}  // namespace roclip::bench
