/// Results as text for a terminal.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace roclip::bench {

using Json = nlohmann::json;

/// One line about a finished cell: "ok  targeted x roclip, seed 1   attack_success 4/16 ...", or its reason.
std::string cell_line(const Json& cell_record);

/// One grid a metric, attack x defense, from a matrix result. With one seed: k/n, percentage and Wilson interval; with
/// several: the mean of the seeds' percentages and their range, never pooled. Cells that did not end ok show their
/// status. The first defense of the matrix is the reference that an attack has to beat: where it succeeds in less than
/// 80 %, the row says that the attack is too weak to judge a defense.
std::string grid(const Json& matrix_result);

}  // namespace roclip::bench
