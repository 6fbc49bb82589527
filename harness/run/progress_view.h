/// What a person sees while a matrix runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "harness/plan/plan.h"
#include "harness/train/trainer.h"

namespace roclip::bench {

/// On a terminal: finished cells scroll by, and below them one live line a running cell and one for the whole.
/// Otherwise plain lines: one at a cell's start, one at its end. Writes to stderr. [one thread]
class ProgressView {
 public:
  /// @param cells to be run, finished ones not counted
  ProgressView(bool terminal, std::int64_t cells, std::int64_t jobs);
  ~ProgressView();

  /// Preparation of data: "rendering emoji", done of total; total 0 makes it a notice.
  void preparing(std::string_view what, std::int64_t done, std::int64_t total);
  void started(const Cell& cell);
  void progressed(const Cell& cell, const TrainProgress& progress);
  /// @param line what to tell of the end, one line or more
  void finished(const Cell& cell, const std::string& line, bool ok);

 private:
  using Clock = std::chrono::steady_clock;
  struct Running {
    const Cell* cell;
    Clock::time_point start;
    TrainProgress progress{};
  };

  void line(const std::string& text);
  void draw();
  void erase();
  double seconds_left(const Running& running) const;
  double seconds_left() const;

  bool terminal_;
  std::int64_t cells_, jobs_;
  std::int64_t done_ = 0, failed_ = 0;
  double finished_s_ = 0;  ///< wall time of the finished cells, added up
  std::vector<Running> running_;
  std::int64_t drawn_ = 0;  ///< live lines on the screen
  Clock::time_point last_draw_{};
};

/// "48 s", "3 min 20 s", "2 h 05 min"
std::string show_duration(double seconds);

}  // namespace roclip::bench
