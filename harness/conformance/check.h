/// What the conformance kit is made of: checks that hold one plugin to its contract, on a small built-in data set.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "harness/train/checked_plugins.h"
#include "roclip/dataset.h"
#include "roclip/plugin.h"

namespace roclip::bench::conformance {

/// What a check works on. Each check has a process of its own, so it may leave behind whatever it likes.
struct Subject {
  const PluginDescriptor& plugin;
  Json params;                    ///< as given
  Dataset data;                   ///< built_in_data()
  std::filesystem::path scratch;  ///< an empty folder
};

/// What a check found when nothing is wrong.
struct Finding {
  std::string measured;          ///< "12.3 us an image"
  Json values = Json::object();  ///< the same for programs
  bool skipped = false;          ///< there was nothing to check; `measured` says why
};
Finding skipped(std::string why);

struct Check {
  std::string name;
  std::string asks;                ///< a sentence
  std::vector<std::string> needs;  ///< checks that must have passed, or this one would blame the wrong thing
  /// @throws ContractViolation, and whatever the plugin throws
  Finding (*run)(const Subject&);
  bool in_two_processes = false;  ///< whose `values` must be equal
};

inline constexpr bool kTwoProcesses = true;

/// In the order in which they run.
const std::vector<Check>& attack_checks();
const std::vector<Check>& defense_checks();
const std::vector<Check>& metric_checks();

// Parts that the three kinds share.

/// Every wrong value is refused, every allowed bound can be made into an object, the defaults allow themselves.
Finding check_parameters(const Subject& subject);

/// The process must not hold more memory after many rounds than after a few.
/// @param round makes, uses and deletes the plugin's object
Finding check_no_leak(const std::function<void()>& round);

/// Of these bytes, to compare what two processes got.
Json hash_of(const torch::Tensor& tensor);

/// "3.1 us", "42 ms", "1.2 s"
std::string duration(double seconds);
/// The median of the seconds that `calls` calls took.
double median_s(int calls, const std::function<void()>& call);

}  // namespace roclip::bench::conformance
