/// A run as it stands: what the live view, `status`, status.json and the events tell of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "harness/record/cell.h"
#include "harness/record/progress.h"

namespace roclip::bench {

/// [one thread]
class RunState {
 public:
  struct Totals {
    std::int64_t cells = 0;  ///< selected
    std::int64_t done = 0;   ///< of them, before this run
    std::int64_t jobs = 1;
  };
  RunState(std::string name, std::string device, Totals totals);

  void started(const Cell& cell, pid_t worker);
  void progressed(const Cell& cell, const TrainProgress& progress);
  /// @param status as in the result
  void finished(const Cell& cell, const std::string& status, const std::string& reason);
  /// Stopped without a result; waits again.
  void interrupted(const Cell& cell);
  void set_phase(std::string phase) { phase_ = std::move(phase); }

  std::int64_t ok() const { return totals_.done + ok_; }
  std::int64_t not_ok() const { return not_ok_; }
  std::int64_t left() const { return totals_.cells - ok() - not_ok(); }
  double wall_s() const;
  /// Of the whole run, as far as it can be told from the cells that ended or run; 0 before.
  double seconds_left() const;

  /// {"schema_version", "name", "phase": "running" | "stopping" | "finished" | "interrupted", "pid", "device", "jobs",
  ///  "started_at", "updated_at", "wall_s", "seconds_left", "cells": {"total", "ok", "not_ok", "running", "left"},
  ///  "running": [{"id", "attack", "defense", "seed", "worker", "running_s", "seconds_left", and TrainProgress}],
  ///  "trouble": [{"id", "status", "reason"}]}
  Json snapshot() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Running {
    const Cell* cell;
    pid_t worker;
    Clock::time_point start;
    TrainProgress progress;
    std::int64_t first_step = 0;  ///< where it went on from
  };
  double seconds_left(const Running& running) const;

  std::string name_, device_, phase_ = "running", started_at_;
  Totals totals_;
  Clock::time_point start_ = Clock::now();
  std::list<Running> running_;
  std::int64_t ok_ = 0, not_ok_ = 0, ended_ = 0;
  double ended_s_ = 0;  ///< wall time of the cells that ended, added up
  Json trouble_ = Json::array();
};

/// A snapshot for people: one line a running cell, then one for the whole. @param width longer lines are cut; 0 = none
/// is. @param color whether to use escape sequences
std::vector<std::string> status_lines(const Json& snapshot, std::size_t width, bool color);

/// `text` in the color of a status word, if `color`.
std::string colored(const std::string& text, std::string_view status, bool color);

/// "2026-01-31T23:59:59Z"
std::string utc_now();

}  // namespace roclip::bench
