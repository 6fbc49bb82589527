/// A look at a data set that nobody is known to have attacked: what repeats in it, which pairs look like poisons, and
/// whether a model that is trained on it has a backdoor.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/data/poisoned_pairs.h"
#include "harness/record/progress.h"
#include "registry.h"
#include "roclip/params.h"

namespace roclip::bench {

/// What is audited, and how.
struct AuditOptions {
  Json model, training;              ///< effective
  std::vector<std::string> filters;  ///< defenses that score pairs; their defaults hold
  std::int64_t rows = 60;            ///< most suspicious pairs that are shown
  std::filesystem::path folder;      ///< where training keeps checkpoints, to go on after it was stopped
  std::uint64_t seed = 1;
};

/// The defenses that drop pairs by a score of their own: train on all pairs, then anew. Controls are left out, and
/// those that are told the poisons or need trusted pairs.
std::vector<std::string> filters_of(const Registry& registry, const Json& training);

/// The audit as JSON (results/audits/README.md describes it). Signals are the flood scores of duplicates.h and the
/// score of each filter, by one model that is trained on all pairs, without a defense; rows are the most suspicious
/// pairs by each signal in turn. Metrics of Measures::kModelDetection judge that model.
/// @param pairs as they would be trained on. @param poisoned which of them are known to be poisons, for whoever wants
/// to see what the audit finds; the audit does not use it. Empty: not known
Json audit(const Dataset& data, const PairSource& pairs, const std::vector<bool>& poisoned, const Registry& registry,
           const AuditOptions& options, const Progress& progress);

/// For a terminal.
std::string audit_text(const Json& audit);
/// One page that works offline, with pictures.
std::string audit_page(const Json& audit);

}  // namespace roclip::bench
