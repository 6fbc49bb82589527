/// A summary as text: for a terminal, Markdown, CSV, LaTeX, JUnit. HTML: html.h.
#pragma once

#include <string>

#include "harness/report/summary.h"

namespace roclip::bench {

/// One line about a finished cell: "ok  targeted x roclip, seed 1   attack_success 4/16 ...", or its reason.
std::string cell_line(const Json& cell_record);

/// One grid a metric, attack x defense: k/n, percentage and interval; over several seeds the mean and its interval.
/// '*' marks a difference from the first defense that stands after Holm's correction. Cells that did not end ok show
/// their status, and their reason below.
std::string render_text(const Summary& summary);
/// The same as Markdown; bold = better than the first defense after correction.
std::string render_markdown(const Summary& summary);
/// Tables for LaTeX with booktabs, ready to paste.
std::string render_latex(const Summary& summary);
/// One line a metric, attack, defense and seed.
std::string render_csv(const Summary& summary);
/// One test case a cell; a cell that did not end ok is an error.
std::string render_junit(const Study& study);

/// "1 cell", "2 cells"
std::string counted(std::int64_t count, const std::string& thing);
/// "12.5" of 0.125
std::string percent(double share);
/// With |, *, _, < and ` taken for what they are.
std::string escape_markdown(const std::string& text);
/// With &, <, >, " and ' as entities; control characters, which XML forbids, as U+FFFD.
std::string escape_xml(const std::string& text);

}  // namespace roclip::bench
