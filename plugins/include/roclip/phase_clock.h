/// Where the time of a step goes.
#pragma once

#include <chrono>
#include <map>
#include <string>

namespace roclip {

/// Adds the time since the last lap to a named phase. Header-only; not thread-safe.
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
