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
  if (std::chrono::duration<double>(Clock::now() - last).count() < seconds) return false;
  last = Clock::now();
  return true;
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1U : 0;
}

Json cell_fields(const Cell& cell) {
  return {{"cell", cell.id}, {"attack", cell.attack}, {"defense", cell.defense}, {"seed", cell.seed}};
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

void ProgressView::notice(const std::string& text) { line(text); }

void ProgressView::preparing(const std::string& what, std::int64_t done, std::int64_t total) {
  if (quiet_) return;
  if (total == 0) return line(what);
  if (!live_) {
    if (done == total) line(what + ": done");
    return;
  }
  if (done < total && !waited(last_draw_, 0.05)) return;
  erase();
  std::fprintf(stderr, "%s %lld/%lld\n", what.c_str(), static_cast<long long>(done), static_cast<long long>(total));
  drawn_ = done < total ? 1 : 0;
}

void ProgressView::started(const RunState& state, const Cell& cell) {
  if (!live_ && !quiet_) line("start    " + cell_name(cell));
  last_draw_ = {};
  tick(state);
}

void ProgressView::finished(const RunState& state, const Cell& /*cell*/, const Json& record) {
  const std::string status = record.at("status");
  // Errors are shown in any case.
  if (!quiet_ || status != "ok") {
    const std::string text = cell_line(record);
    line(colored(text.substr(0, status.size()), status, color_) + text.substr(status.size()));
  }
  last_draw_ = {};
  tick(state);
}

void ProgressView::interrupted(const RunState& state, const Cell& cell) {
  if (!quiet_) line("stopped  " + cell_name(cell));
  tick(state);
}

void ProgressView::tick(const RunState& state) {
  if (!live_ || !waited(last_draw_, 0.1)) return;
  erase();
  for (const auto& text : status_lines(state.snapshot(), terminal_width(), color_)) {
    std::fprintf(stderr, "%s\n", text.c_str());
    ++drawn_;
  }
  std::fflush(stderr);
}

void ProgressView::ended(const RunState&) { erase(); }

void EventStream::write(const char* event, Json fields) {
  fields["event"] = event;
  fields["time"] = utc_now();
  std::fprintf(file_, "%s\n", fields.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(file_);
}

void EventStream::notice(const std::string& text) { write("notice", {{"text", text}}); }
void EventStream::preparing(const std::string& what, std::int64_t done, std::int64_t total) {
  if (total == 0) return notice(what);
  write("preparing", {{"what", what}, {"done", done}, {"total", total}});
}
void EventStream::begun(const RunState& state) { write("run_started", {{"status", state.snapshot()}}); }
void EventStream::started(const RunState&, const Cell& cell) { write("cell_started", cell_fields(cell)); }
void EventStream::progressed(const RunState&, const Cell& cell, const CellProgress& p) {
  if (!waited(last_[cell.id], 1)) return;
  Json fields = cell_fields(cell);
  fields.update({{"epoch", p.epoch},
                 {"epochs", p.epochs},
                 {"step", p.step},
                 {"steps", p.steps},
                 {"loss", p.loss},
                 {"pairs_per_s", p.pairs_per_s}});
  write("cell_progressed", std::move(fields));
}
void EventStream::finished(const RunState&, const Cell& cell, const Json& record) {
  Json fields = cell_fields(cell);
  const Json entry = matrix_entry(cell, record);
  for (const char* key : {"status", "reason", "file", "metrics", "wall_s"}) fields[key] = entry.at(key);
  write("cell_finished", std::move(fields));
}
void EventStream::interrupted(const RunState&, const Cell& cell) { write("cell_interrupted", cell_fields(cell)); }
void EventStream::ended(const RunState& state) { write("run_ended", {{"status", state.snapshot()}}); }

void StatusFile::tick(const RunState& state) {
  if (waited(last_, 1)) write(state);
}

void StatusFile::write(const RunState& state) {
  try {
    write_json(file_, state.snapshot(), Flush::kNo);
  } catch (const Error&) {  // a full disk: results matter more, and they complain
  }
}

}  // namespace roclip::bench
