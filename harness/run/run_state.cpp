#include "harness/run/run_state.h"

#include <algorithm>
#include <cmath>

#include <unistd.h>

#include <boost/date_time/posix_time/posix_time.hpp>

#include "harness/record/escape.h"
#include "harness/record/text.h"

namespace roclip::bench {

namespace {

std::string bar(double share) {
  constexpr int kWidth = 20;
  const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * kWidth);
  return "[" + std::string(static_cast<std::size_t>(full), '#') +
         std::string(static_cast<std::size_t>(kWidth - full), ' ') + "]";
}

std::string line_of(const Json& running) {
  std::string text = "  " + escape_text(running.at("attack").get<std::string>()) + " x " +
                     escape_text(running.at("defense").get<std::string>()) + ", seed " + running.at("seed").dump();
  const double step = running.at("step"), steps = running.at("steps");
  if (step == 0) return text + "  starting";
  if (step == steps) return text + "  evaluating";
  return text + format("  %s epoch %d/%d  loss %.3f  %.0f pairs/s  %s left", bar(step / steps).c_str(),
                       running.at("epoch").get<int>(), running.at("epochs").get<int>(),
                       running.at("loss").get<double>(), running.at("pairs_per_s").get<double>(),
                       show_duration(running.at("seconds_left")).c_str());
}

}  // namespace

RunState::RunState(std::string name, std::string device, Totals totals)
    : name_(std::move(name)), device_(std::move(device)), started_at_(utc_now()), totals_(totals) {}

void RunState::started(const Cell& cell, pid_t worker) { running_.push_back({&cell, worker, Clock::now(), {}}); }

void RunState::progressed(const Cell& cell, const TrainProgress& progress) {
  const auto running = std::ranges::find(running_, &cell, &Running::cell);
  if (running == running_.end()) return;
  if (running->progress.step == 0) running->first_step = progress.step - 1;
  running->progress = progress;
}

void RunState::finished(const Cell& cell, const std::string& status, const std::string& reason) {
  const auto running = std::ranges::find(running_, &cell, &Running::cell);
  if (running != running_.end()) {
    ended_ += 1;
    ended_s_ += seconds_since(running->start);
    running_.erase(running);
  }
  (status == "ok" ? ok_ : not_ok_) += 1;
  if (status != "ok") trouble_.push_back({{"id", cell.id}, {"status", status}, {"reason", reason}});
}

void RunState::interrupted(const Cell& cell) {
  running_.remove_if([&](const Running& running) { return running.cell == &cell; });
}

double RunState::wall_s() const { return seconds_since(start_); }

double RunState::seconds_left(const Running& running) const {
  const auto& p = running.progress;
  const auto done = p.step - running.first_step;
  if (p.step == 0 || done <= 0) return 0;
  return seconds_since(running.start) * static_cast<double>(p.steps - p.step) / static_cast<double>(done);
}

double RunState::seconds_left() const {
  double work = 0, longest_left = 0, longest_cell = 0;
  for (const auto& running : running_) {
    const double left = seconds_left(running);
    work += left;
    longest_left = std::max(longest_left, left);
    if (running.progress.step > 0) longest_cell = std::max(longest_cell, seconds_since(running.start) + left);
  }
  const double typical_cell = ended_ > 0 ? ended_s_ / static_cast<double>(ended_) : longest_cell;
  work += typical_cell * static_cast<double>(left() - std::ssize(running_));
  return std::max(longest_left, work / static_cast<double>(totals_.jobs));
}

Json RunState::snapshot() const {
  Json running = Json::array();
  for (const auto& r : running_) {
    running.push_back({{"id", r.cell->id},
                       {"attack", r.cell->attack},
                       {"defense", r.cell->defense},
                       {"seed", r.cell->seed},
                       {"worker", r.worker},
                       {"running_s", seconds_since(r.start)},
                       {"seconds_left", seconds_left(r)}});
    running.back().update(Json(r.progress));
  }
  return {
      {"schema_version", 1},
      {"name", name_},
      {"phase", phase_},
      {"pid", ::getpid()},
      {"device", device_},
      {"jobs", totals_.jobs},
      {"started_at", started_at_},
      {"updated_at", utc_now()},
      {"wall_s", wall_s()},
      {"seconds_left", seconds_left()},
      {"cells",
       {{"total", totals_.cells}, {"ok", ok()}, {"not_ok", not_ok()}, {"running", running_.size()}, {"left", left()}}},
      {"running", std::move(running)},
      {"trouble", trouble_}};
}

std::vector<std::string> status_lines(const Json& snapshot, std::size_t width, bool color) {
  const auto cut = [&](const std::string& text) { return width > 0 ? text.substr(0, width) : text; };
  std::vector<std::string> lines;
  for (const auto& running : snapshot.at("running")) lines.push_back(cut(line_of(running)));
  const Json& cells = snapshot.at("cells");
  const std::int64_t not_ok = cells.at("not_ok"), left = cells.at("left");
  std::string text = "  " + cells.at("ok").dump() + " of " + cells.at("total").dump() + " cells done";
  if (not_ok > 0) text += ", " + std::to_string(not_ok) + " not ok";
  if (left > 0) text += ", " + std::to_string(left) + " left";
  const double seconds = snapshot.at("seconds_left");
  if (left > 0 && seconds > 0) text += ", about " + show_duration(seconds) + " to go";
  lines.push_back(colored(cut(text), not_ok > 0 ? "failed" : "running", color));
  return lines;
}

std::string colored(const std::string& text, std::string_view status, bool color) {
  if (!color) return text;
  const char* code = status == "ok" ? "32" : status == "running" ? "1" : status == "skipped" ? "33" : "31";
  return "\x1b[" + std::string(code) + "m" + text + "\x1b[0m";
}

std::string utc_now() {
  return boost::posix_time::to_iso_extended_string(boost::posix_time::second_clock::universal_time()) + "Z";
}

}  // namespace roclip::bench
