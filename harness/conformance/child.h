/// Work in a process of its own, which may crash or hang, and processes that a sanitizer must be in.
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

/// For a plugin that was built with -fsanitize=address or thread, in a program that was not. The library of a sanitizer
/// must be in a process before all others: starts this program again with it, unless it is there. Does not return then.
/// Sets the options ASAN_OPTIONS and TSAN_OPTIONS unless the user has.
/// @param library Stamp::sanitizer. @param task of the engine, to begin with again
/// @throws Error(kPlugin) if the library cannot be loaded
void start_with_sanitizer(const std::string& library, const Json& task);

}  // namespace roclip::bench::conformance
