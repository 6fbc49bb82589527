/// What changed between two sets of results.
#pragma once

#include <string>
#include <vector>

#include "harness/report/study.h"

namespace roclip::bench {

/// {"changed": [{"attack", "defense", "metric", "seeds", "unit", "a", "b", "difference", "p", "test"}],
///  "configuration": [{"attack", "defense", "differences": [{"key", "a", "b"}]}], "only_a": [...], "only_b": [...],
///  "equal": number of compared values that are the same}. Cells are matched by attack, defense and seed; p as in
/// summary.h.
Json compare(const Study& a, const Study& b);

std::string render_comparison(const Json& comparison);

}  // namespace roclip::bench
