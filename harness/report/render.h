/// A summary as text: for a terminal, Markdown, CSV, LaTeX, JUnit. HTML: html.h.
#pragma once

#include <string>

#include "harness/record/escape.h"
#include "harness/record/text.h"
#include "harness/report/summary.h"

namespace roclip::bench {

/// One line about a finished cell: "ok  targeted x roclip, seed 1   attack_success 4/16 ...", or its reason.
std::string cell_line(const CellRecord& record);

/// One grid a metric, attack x defense: k/n, percentage and interval; over several seeds the mean and its interval.
/// '*' marks a difference from the first defense that remains after Holm's correction. Cells that did not end with
/// status ok show their status, and their reason below.
std::string render_text(const Summary& summary);
/// The same as Markdown; bold = better than the first defense after correction.
std::string render_markdown(const Summary& summary);
/// Tables for LaTeX with booktabs, ready to paste.
std::string render_latex(const Summary& summary);
/// One line a metric, attack, defense and seed.
std::string render_csv(const Summary& summary);
/// One test case a cell; a cell that did not end ok is an error.
std::string render_junit(const Study& study);

/// "12.5" of 0.125
inline std::string percent(double share) { return format("%.1f", 100 * share); }
/// "12.5 %" of a share, "0.931" or "3.2 nats" of a value.
std::string with_unit(double value, const MetricKind& kind);
/// "[3.5, 36.0]", or "" where no interval is known.
std::string interval_text(const Entry& entry, const MetricKind& kind);
/// What the number is of: "2/16", "9 seeds", "8 of 9 seeds". @pre there is one
std::string sample_text(const Entry& entry);
/// After Holm's correction.
bool better_than_reference(const Entry& entry, const Table& table);

}  // namespace roclip::bench
