#include "harness/run/progress_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include <sys/ioctl.h>
#include <unistd.h>

namespace roclip::bench {

namespace {

__attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...) {
  std::array<char, 512> text{};
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text.data(), text.size(), pattern, arguments);
  va_end(arguments);
  return text.data();
}

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string bar(double share) {
  constexpr int kWidth = 20;
  const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * kWidth);
  return "[" + std::string(static_cast<std::size_t>(full), '#') +
         std::string(static_cast<std::size_t>(kWidth - full), ' ') + "]";
}

/// Cut to the width of the terminal: a line that wraps could not be erased.
std::string fit(const std::string& text) {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? text.substr(0, size.ws_col - 1U) : text;
}

std::string name(const Cell& cell) {
  return cell.attack + " x " + cell.defense + ", seed " + std::to_string(cell.seed);
}

}  // namespace

std::string show_duration(double seconds) {
  const auto s = std::llround(seconds);
  if (s < 100) return format("%lld s", s);
  if (s < 6000) return format("%lld min %02lld s", s / 60, s % 60);
  return format("%lld h %02lld min", s / 3600, s / 60 % 60);
}

ProgressView::ProgressView(bool terminal, std::int64_t cells, std::int64_t jobs)
    : terminal_(terminal), cells_(cells), jobs_(jobs) {}

ProgressView::~ProgressView() { erase(); }

void ProgressView::line(const std::string& text) {
  erase();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void ProgressView::erase() {
  for (; drawn_ > 0; --drawn_) std::fputs("\x1b[1A\x1b[2K", stderr);
  std::fflush(stderr);
}

void ProgressView::preparing(std::string_view what, std::int64_t done, std::int64_t total) {
  const std::string text(what);
  if (total == 0) return line(text);
  if (!terminal_) {
    if (done == total) line(text + ": done");
    return;
  }
  if (done < total && since(last_draw_) < 0.05) return;
  last_draw_ = Clock::now();
  erase();
  std::fprintf(stderr, "%s %s %lld/%lld\n", text.c_str(),
               bar(static_cast<double>(done) / static_cast<double>(total)).c_str(), static_cast<long long>(done),
               static_cast<long long>(total));
  drawn_ = done < total ? 1 : 0;
}

void ProgressView::started(const Cell& cell) {
  running_.push_back({&cell, Clock::now()});
  if (!terminal_) line("start    " + name(cell));
  last_draw_ = {};
  draw();
}

void ProgressView::progressed(const Cell& cell, const TrainProgress& progress) {
  const auto running = std::ranges::find(running_, &cell, &Running::cell);
  if (running == running_.end()) return;
  running->progress = progress;
  draw();
}

void ProgressView::finished(const Cell& cell, const std::string& text, bool ok) {
  const auto running = std::ranges::find(running_, &cell, &Running::cell);
  if (running != running_.end()) {
    finished_s_ += since(running->start);
    running_.erase(running);
  }
  done_ += 1;
  failed_ += ok ? 0 : 1;
  line(text);
  last_draw_ = {};
  draw();
}

double ProgressView::seconds_left(const Running& running) const {
  const auto& p = running.progress;
  if (p.step == 0) return 0;
  return since(running.start) * static_cast<double>(p.steps - p.step) / static_cast<double>(p.step);
}

double ProgressView::seconds_left() const {
  double work = 0, cell_s = done_ > 0 ? finished_s_ / static_cast<double>(done_) : 0;
  for (const auto& running : running_) {
    work += seconds_left(running);
    if (done_ == 0) cell_s = std::max(cell_s, since(running.start) + seconds_left(running));
  }
  const auto waiting = cells_ - done_ - static_cast<std::int64_t>(running_.size());
  return (work + cell_s * static_cast<double>(waiting)) /
         static_cast<double>(std::min(jobs_, std::max<std::int64_t>(cells_ - done_, 1)));
}

void ProgressView::draw() {
  if (!terminal_ || running_.empty() || since(last_draw_) < 0.1) return;
  last_draw_ = Clock::now();
  erase();
  for (const auto& running : running_) {
    const auto& p = running.progress;
    std::string text = "  " + name(*running.cell);
    if (p.step > 0) {
      text += format("  %s epoch %lld/%lld  loss %.3f  %.0f pairs/s  %s left",
                     bar(static_cast<double>(p.step) / static_cast<double>(p.steps)).c_str(),
                     static_cast<long long>(p.epoch), static_cast<long long>(p.epochs), p.loss, p.pairs_per_s,
                     show_duration(seconds_left(running)).c_str());
    }
    std::fprintf(stderr, "%s\n", fit(text).c_str());
  }
  std::fprintf(stderr, "  %lld of %lld cells done%s, about %s left\n", static_cast<long long>(done_),
               static_cast<long long>(cells_), failed_ > 0 ? (", " + std::to_string(failed_) + " not ok").c_str() : "",
               show_duration(seconds_left()).c_str());
  drawn_ = static_cast<std::int64_t>(running_.size()) + 1;
  std::fflush(stderr);
}

}  // namespace roclip::bench
