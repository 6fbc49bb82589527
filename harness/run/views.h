/// Who is told how a run goes: a person, a program, another terminal.
#pragma once

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "harness/record/result.h"
#include "harness/run/run_state.h"

namespace roclip::bench {

/// Called by the supervisor, from one thread. `state` already holds what is told.
class RunListener {
 public:
  virtual ~RunListener() = default;
  /// A line for a person: a warning, a hint.
  virtual void notice(const std::string&) {}
  /// Preparation of data: "rendering emoji", done of total; total 0 makes it a notice.
  virtual void preparing(const std::string&, std::int64_t /*done*/, std::int64_t /*total*/) {}
  virtual void begun(const RunState&) {}
  virtual void started(const RunState&, const Cell&) {}
  virtual void progressed(const RunState&, const Cell&, const CellProgress&) {}
  /// @param record the stored result
  virtual void finished(const RunState&, const Cell&, const Json& /*record*/) {}
  virtual void interrupted(const RunState&, const Cell&) {}
  /// At least four times a second while cells run.
  virtual void tick(const RunState&) {}
  virtual void ended(const RunState&) {}
};

enum class ProgressStyle { kAuto, kPlain, kNone };

/// For a person, on stderr. On a terminal finished cells scroll by, and below them one live line a running cell and one
/// for the whole; otherwise plain lines, one at a cell's start, one at its end.
class ProgressView : public RunListener {
 public:
  ProgressView(ProgressStyle style, bool color);
  ~ProgressView() override;
  void notice(const std::string& text) override;
  void preparing(const std::string& what, std::int64_t done, std::int64_t total) override;
  void started(const RunState& state, const Cell& cell) override;
  void finished(const RunState& state, const Cell& cell, const Json& record) override;
  void interrupted(const RunState& state, const Cell& cell) override;
  void tick(const RunState& state) override;
  void ended(const RunState& state) override;

 private:
  void line(const std::string& text);
  void erase();

  bool live_, quiet_, color_;
  int drawn_ = 0;  ///< live lines on the screen
  std::chrono::steady_clock::time_point last_draw_{};
};

/// For a program: one JSON event a line, results/schema/event.schema.json.
class EventStream : public RunListener {
 public:
  explicit EventStream(std::FILE* file) : file_(file) {}
  void notice(const std::string& text) override;
  void preparing(const std::string& what, std::int64_t done, std::int64_t total) override;
  void begun(const RunState& state) override;
  void started(const RunState& state, const Cell& cell) override;
  void progressed(const RunState& state, const Cell& cell, const CellProgress& progress) override;
  void finished(const RunState& state, const Cell& cell, const Json& record) override;
  void interrupted(const RunState& state, const Cell& cell) override;
  void ended(const RunState& state) override;

 private:
  void write(const char* event, Json fields);
  std::FILE* file_;
  std::map<std::string, std::chrono::steady_clock::time_point> last_;  ///< progress of each cell, once a second
};

/// For `roclip-bench status`: the snapshot as status.json in the output folder, about once a second.
class StatusFile : public RunListener {
 public:
  explicit StatusFile(std::filesystem::path file) : file_(std::move(file)) {}
  void begun(const RunState& state) override { write(state); }
  void tick(const RunState& state) override;
  void ended(const RunState& state) override { write(state); }

 private:
  void write(const RunState& state);
  std::filesystem::path file_;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace roclip::bench
