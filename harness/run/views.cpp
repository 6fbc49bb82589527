#include "harness/run/views.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "harness/record/files.h"
#include "harness/report/render.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

using Clock = std::chrono::steady_clock;

bool waited(Clock::time_point& last, double seconds) {
  if (seconds_since(last) < seconds) return false;
  last = Clock::now();
  return true;
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1U : 0;
}

}  // namespace

ProgressView::ProgressView(ProgressStyle style, bool color)
    : live_(style == ProgressStyle::kAuto && ::isatty(STDERR_FILENO) != 0),
      quiet_(style == ProgressStyle::kNone),
      color_(color) {}

ProgressView::~ProgressView() { erase(); }

void ProgressView::line(const std::string& text) {
  erase();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void ProgressView::erase() {
  for (; drawn_ > 0; --drawn_) std::fputs("\x1b[1A\x1b[2K", stderr);
  std::fflush(stderr);
}

void ProgressView::notice(const std::string& text) { line(escape_lines(text)); }

void ProgressView::preparing(const std::string& what, std::int64_t done, std::int64_t total) {
  if (quiet_) return;
  if (total == 0) return line(what);
  if (!live_) {
    if (done == total) line(what + ": done");
    return;
  }
  if (done < total && !waited(last_draw_, 0.05)) return;
  erase();
  std::fprintf(stderr, "%s\n", pace_(what, done, total).c_str());
  drawn_ = done < total ? 1 : 0;
}

void ProgressView::begun(const RunState& state, std::filesystem::path status_file) {
  status_file_ = std::move(status_file);
  write_status(state);
}

void ProgressView::started(const RunState& state, const Cell& cell) {
  if (!live_ && !quiet_) line("start    " + escape_text(cell_name(cell)));
  last_draw_ = {};
  tick(state);
}

void ProgressView::finished(const RunState& state, const CellRecord& record) {
  const std::string status(to_string(record.status));
  // Errors are shown in any case.
  if (!quiet_ || !record.ok()) {
    const std::string text = cell_line(record);
    line(colored(text.substr(0, status.size()), status, color_) + text.substr(status.size()));
  }
  last_draw_ = {};
  tick(state);
}

void ProgressView::interrupted(const RunState& state, const Cell& cell) {
  if (!quiet_) line("stopped  " + escape_text(cell_name(cell)));
  tick(state);
}

void ProgressView::tick(const RunState& state) {
  if (!status_file_.empty() && waited(last_status_, 1)) write_status(state);
  if (!live_ || !waited(last_draw_, 0.1)) return;
  erase();
  for (const auto& text : status_lines(state.snapshot(), terminal_width(), color_)) {
    std::fprintf(stderr, "%s\n", text.c_str());
    ++drawn_;
  }
  std::fflush(stderr);
}

void ProgressView::ended(const RunState& state) {
  erase();
  write_status(state);
}

void ProgressView::write_status(const RunState& state) {
  if (status_file_.empty()) return;
  try {
    write_json(status_file_, state.snapshot(), Flush::kNo);
  } catch (const Error&) {  // a full disk: results matter more, and they complain
  }
}

}  // namespace roclip::bench
