/// Published claims held against results.
///
///     {"schema_version": 1, "claims": [
///       {"claim": "the attack rarely succeeds", "source": "abstract, arXiv NUMBER",
///        "reported": "12.5 %", "metric": "my_metric", "attack": "my_attack", "defense": "my_defense", "at_most":
///        0.25},
///       {"claim": "accuracy gains", "source": "abstract", "reported": "+10 %", "metric": "my_metric",
///        "attack": "my_attack", "defense": "my_defense", "minus": "my_baseline", "at_least": 0.02},
///       {"claim": "...", "source": "...", "reported": "...", "not_testable": "why"}]}
///
/// "at_most" and "at_least" bound the mean share, or with "minus" its difference from another defense, as what counts
/// as agreement: together they are a tolerance about the reported value.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/record/intervals.h"
#include "harness/report/study.h"

namespace roclip::bench {

struct Claim {
  std::string claim, source, reported;
  std::string not_testable;  ///< why; "" = testable
  std::string metric = {}, attack = {}, defense = {};
  std::string minus = {};  ///< the other defense of a difference, or ""
  double at_least = -1, at_most = 1;
};

/// @throws Error(kData) for a file that is missing, Error(kMatrix) naming file and key
std::vector<Claim> read_claims(const std::filesystem::path& file);

enum class Finding { kReproduced, kNotReproduced, kUndecided, kNotTestable };

struct Verified {
  Claim claim;
  Finding finding = Finding::kNotTestable;
  std::string reason = {};                ///< why it is not testable here
  double ours = 0;                        ///< mean over seeds
  std::optional<Interval> interval = {};  ///< 95 %
  std::size_t seeds = 0;
};

/// Reproduced: the whole interval agrees. Not reproduced: none of it does.
std::vector<Verified> verify(const Study& study, const std::vector<Claim>& claims);

std::string render_text(const std::vector<Verified>& list);
std::string render_markdown(const std::vector<Verified>& list);
Json to_json(const std::vector<Verified>& list);

}  // namespace roclip::bench
