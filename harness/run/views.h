/// What a person sees of a run.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "harness/record/result.h"
#include "harness/run/run_state.h"

namespace roclip::bench {

enum class ProgressStyle { kAuto, kPlain, kNone };

/// On stderr: on a terminal finished cells scroll by, and below them one live line a running cell and one for the
/// whole; otherwise plain lines, one at a cell's start, one at its end. In status.json, about once a second, the state
/// as a whole, for `roclip-bench status` and for programs. `state` already holds what is told. [one thread]
class ProgressView {
 public:
  ProgressView(ProgressStyle style, bool color);
  ~ProgressView();
  ProgressView(const ProgressView&) = delete;
  ProgressView& operator=(const ProgressView&) = delete;

  /// A line for a person: a warning, a hint.
  void notice(const std::string& text);
  /// Preparation of data: "rendering emoji", done of total; total 0 makes it a notice.
  void preparing(const std::string& what, std::int64_t done, std::int64_t total);
  /// @param status_file is kept up to date from now on
  void begun(const RunState& state, std::filesystem::path status_file);
  void started(const RunState& state, const Cell& cell);
  /// @param record the stored result
  void finished(const RunState& state, const CellRecord& record);
  void interrupted(const RunState& state, const Cell& cell);
  /// At least four times a second while cells run.
  void tick(const RunState& state);
  void ended(const RunState& state);

 private:
  void line(const std::string& text);
  void erase();
  void write_status(const RunState& state);

  bool live_, quiet_, color_;
  std::filesystem::path status_file_;
  int drawn_ = 0;  ///< live lines on the screen
  PaceLine pace_;
  std::chrono::steady_clock::time_point last_draw_{}, last_status_{};
};

}  // namespace roclip::bench
