/// Gates held against results: the CI gate.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/record/intervals.h"
#include "harness/report/study.h"
#include "harness/study/gates.h"

namespace roclip::bench {

enum class Outcome { kPass, kFail, kInconclusive };

struct Verdict {
  Gate gate;
  Outcome outcome = Outcome::kFail;
  std::string reason = {};                ///< with the numbers it rests on
  std::optional<Interval> interval = {};  ///< of the share, or of how much worse it is than the baseline
  double confidence = 0;                  ///< of the interval: that of the gate, corrected for repeated looks
  std::optional<std::int64_t> further_seeds =
      {};                  ///< that would decide an inconclusive gate if they went like those so far
  std::int64_t seeds = 0;  ///< of its cells
  std::optional<std::int64_t> next_seed = {};  ///< to add to an inconclusive gate; none if added seeds cannot decide it
};

/// Passes when the whole interval at the gate's confidence, corrected for the study's looks (confidence_of_look()),
/// lies on the right side of the limit, fails when it lies on the wrong side, else is inconclusive. Fails where a cell,
/// a metric or a baseline is missing or a cell did not end ok, and where an attack whose success has an upper limit
/// does not work against the study's first defense.
/// @param base folder that baselines are relative to
std::vector<Verdict> check(const Study& study, const std::vector<Gate>& gates, const std::filesystem::path& base);

/// 0, 11 (a gate failed) or 12 (none failed, one is inconclusive).
int exit_code(const std::vector<Verdict>& verdicts);

std::string render_text(const std::vector<Verdict>& verdicts);
std::string render_markdown(const std::vector<Verdict>& verdicts);
std::string render_junit(const std::vector<Verdict>& verdicts, const std::string& name);
Json to_json(const std::vector<Verdict>& verdicts);

}  // namespace roclip::bench
