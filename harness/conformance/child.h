/// Work in a process of its own, which may crash or hang.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "harness/record/signals.h"
#include "roclip/params.h"

namespace roclip::bench::conformance {

struct ChildEnd {
  std::optional<Json> result;  ///< what `work` returned
  std::string how;             ///< else: "ended by signal 11 (Segmentation fault)", "ran longer than 60 s"
  bool took_too_much = false;  ///< time or memory
  int signal = 0;              ///< which this process got meanwhile, and ended the child for: SIGINT, SIGTERM, SIGHUP
  std::string output;          ///< why, as far as it printed that: the report of a sanitizer, or the last lines
  double wall_s = 0;
};

/// Forks, works, and waits. The child ends with all that it started, and at the latest when it takes most of the
/// machine's memory. @pre this process has one thread
/// @param work must not throw. @throws Error(kInternal) if there can be no process
ChildEnd in_child(const std::function<Json()>& work, double limit_s, const Signals& signals);

}  // namespace roclip::bench::conformance
