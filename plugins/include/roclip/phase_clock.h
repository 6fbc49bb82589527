/// Where the time of a step goes.
///
/// On the CPU a phase is wall time. A GPU works behind the host, which only asks: there a phase is the time of the GPU
/// itself, told by its events, and the time in which it has nothing to do counts for the phase that it waits for. So a
/// small model, whose steps a host can hardly ask for as fast as they are done, shows the host's time by phase, and a
/// large one the GPU's.
///
/// A training loop laps a phase when it ends: "data", "augment", "forward", "loss", "backward", "optimizer" are those
/// of the trainer, and a defense may lap phases of its own within loss() or augment_images(), such as "matching": what
/// it takes from the trainer's phase is then told apart in the result (`cost.phase_s`) and by tests/bench/steps_bench.
/// Phases never decide what is computed, and are not part of what must repeat to the bit.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace roclip {

/// The time of a device that works behind the host. [one thread]
class DeviceTimeline {
 public:
  virtual ~DeviceTimeline() = default;
  /// Marks the moment when the device has done all that was asked of it so far. Does not wait for it.
  virtual void mark() = 0;
  /// Forgets the oldest `count` marks, once the device has passed them. @return seconds before each of them, since the
  /// mark before it; before the first of all, since construction. @pre there are as many
  virtual std::vector<double> take(std::size_t count) = 0;
};

/// Adds the time since the last lap, of whatever phase, to a named one; the first lap counts from construction. Owned
/// by the trainer; throws nothing but std::bad_alloc and what a device throws. [one thread]
class PhaseClock {
 public:
  PhaseClock() = default;
  /// @param device null: the host's time counts
  explicit PhaseClock(std::unique_ptr<DeviceTimeline> device) : device_(std::move(device)) {}

  /// Ends a phase, which began when the one before it ended. A name may come several times in a step. On a GPU the host
  /// does not wait for it.
  void lap(const std::string& phase) {
    if (!device_) {
      const auto now = Clock::now();
      phases_[phase] += std::chrono::duration<double>(now - last_).count();
      last_ = now;
      return;
    }
    constexpr std::size_t kPending = 256;  // the older half was passed long ago: nobody waits
    device_->mark();
    pending_.push_back(phase);
    if (pending_.size() >= kPending) settle(kPending / 2);
  }
  /// Time by phase, in seconds. On a GPU, the host waits for it.
  const std::map<std::string, double>& phases() const {
    settle(pending_.size());
    return phases_;
  }
  /// Goes on from the sums of an earlier process.
  void restore(std::map<std::string, double> phases) {
    settle(pending_.size());
    phases_ = std::move(phases);
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// Adds the oldest pending laps to their phases.
  void settle(std::size_t count) const {
    if (count == 0) return;
    for (const double wall_s : device_->take(count)) {
      phases_[pending_.front()] += wall_s;
      pending_.pop_front();
    }
  }

  std::unique_ptr<DeviceTimeline> device_;
  mutable std::deque<std::string> pending_;  ///< phases whose time the device has not told yet
  mutable std::map<std::string, double> phases_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace roclip
