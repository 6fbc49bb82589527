/// Where the time of a step goes.
///
/// A training loop laps a phase when it ends: "data", "augment", "forward", "loss", "backward", "optimizer" are those
/// of the trainer, and a defense may lap phases of its own within loss() or augment_images(), such as "matching": what
/// it takes from the trainer's phase is then told apart in the result (`cost.phase_s`) and by tests/bench/steps_bench.
/// Phases are wall time. They never decide what is computed, and are not part of what must repeat to the bit.
#pragma once

#include <chrono>
#include <map>
#include <string>

namespace roclip {

/// Adds the time since the last lap, of whatever phase, to a named one; the first lap counts from construction. Owned
/// by the trainer. Header-only; throws nothing but std::bad_alloc. [one thread]
class PhaseClock {
 public:
  void lap(const std::string& phase) {
    const auto now = Clock::now();
    phases_[phase] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }
  /// Wall time by phase, in seconds.
  const std::map<std::string, double>& phases() const { return phases_; }
  /// Goes on from the sums of an earlier process.
  void restore(std::map<std::string, double> phases) { phases_ = std::move(phases); }

 private:
  using Clock = std::chrono::steady_clock;
  std::map<std::string, double> phases_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace roclip
