#include <cstdio>
#include <iostream>
#include <map>
#include <optional>

#include "harness/app/commands.h"
#include "harness/record/checked_json.h"
#include "harness/record/files.h"
#include "harness/report/render.h"
#include "harness/run/folder_lock.h"
#include "harness/run/views.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

/// status.json, in the shape that status_command() and status_lines() rely on. @throws Error(kData)
Json read_status(const std::filesystem::path& file) {
  Json snapshot = read_json(file);
  const CheckedJson json(snapshot, file.string(), "the next `roclip-bench run` writes it anew");
  json.check_version(1);
  for (const char* key : {"name", "phase", "started_at", "updated_at"}) json.at(key).text();
  json.at("seconds_left").number(0);
  for (const char* key : {"total", "ok", "not_ok", "running", "left"}) json.at("cells").at(key).integer(0);
  for (const auto& cell : json.at("running").items()) {
    for (const char* key : {"attack", "defense"}) cell.at(key).text();
    for (const char* key : {"seed", "epoch", "epochs", "step", "steps"}) cell.at(key).integer(0);
    for (const char* key : {"seconds_left", "loss", "pairs_per_s"}) cell.at(key).number();
  }
  for (const auto& cell : json.at("trouble").items()) {
    for (const char* key : {"id", "status", "reason"}) cell.at(key).text();
  }
  return snapshot;
}

/// The snapshot of a folder, corrected if its run was killed; none if no run began there.
std::optional<Json> snapshot_of(const std::filesystem::path& out) {
  const OutputFolder folder{out};
  if (!std::filesystem::exists(folder.status_file())) return std::nullopt;
  Json snapshot = read_status(folder.status_file());
  const bool is_over = snapshot.at("phase") != "running" && snapshot.at("phase") != "stopping";
  if (is_over || FolderLock::holder(out)) return snapshot;
  snapshot["phase"] = "died";
  snapshot["running"] = Json::array();
  snapshot["seconds_left"] = 0;
  snapshot["cells"]["running"] = 0;
  return snapshot;
}

std::string text_at(const Json& place, const char* key) { return escape_text(place.at(key).get<std::string>()); }

void print_trouble(const Json& snapshot, bool color) {
  for (const auto& cell : snapshot.at("trouble")) {
    std::printf("%s  %s\n         %s\n", colored(text_at(cell, "status"), text_at(cell, "status"), color).c_str(),
                text_at(cell, "id").c_str(), escape_lines(cell.at("reason").get<std::string>()).c_str());
  }
}

void print_status(const Json& snapshot, const std::filesystem::path& out, bool color) {
  const auto holder = FolderLock::holder(out);
  std::printf("%s: %s%s, started %s, last update %s\n", text_at(snapshot, "name").c_str(),
              text_at(snapshot, "phase").c_str(), holder ? (" in " + *holder).c_str() : "",
              text_at(snapshot, "started_at").c_str(), text_at(snapshot, "updated_at").c_str());
  for (const auto& line : status_lines(snapshot, 0, color)) std::puts(line.c_str());
  print_trouble(snapshot, color);
  if (snapshot.at("phase") == "died") std::puts("The run was killed. Start it again: it continues where it stopped.");
}

/// @param folders how many were asked for; not in all has a run begun
std::string sums(const std::vector<Json>& snapshots, std::size_t folders) {
  std::map<std::string, std::int64_t> phases, cells;
  for (const auto& snapshot : snapshots) {
    ++phases[snapshot.at("phase").get<std::string>()];
    for (const auto& [what, count] : snapshot.at("cells").items()) cells[what] += count.get<std::int64_t>();
  }
  if (folders > snapshots.size()) phases["not begun"] = static_cast<std::int64_t>(folders - snapshots.size());
  std::string lines = counted(static_cast<std::int64_t>(folders), "folder") + ":";
  for (const auto& [phase, count] : phases) {
    lines += (lines.back() == ':' ? " " : ", ") + std::to_string(count) + " " + phase;
  }
  const auto some = [&](const char* what) { return std::to_string(cells[what]); };
  return lines + "\n" + counted(cells["total"], "cell") + ": " + some("ok") + " ok, " + some("not_ok") + " not ok, " +
         some("running") + " running, " + some("left") + " left\n";
}

std::vector<Json> snapshots_of(const Paths& outs) {
  std::vector<Json> snapshots;
  for (const auto& out : outs) {
    auto snapshot = snapshot_of(out);
    if (!snapshot) continue;
    if (outs.size() > 1) (*snapshot)["folder"] = out.string();
    snapshots.push_back(std::move(*snapshot));
  }
  return snapshots;
}

}  // namespace

std::string sums_of(const Paths& outs) { return sums(snapshots_of(outs), outs.size()); }

int status_command(const Paths& outs, bool json, bool color) {
  const auto snapshots = snapshots_of(outs);
  if (snapshots.empty() && outs.size() == 1) {
    throw Error(ErrorKind::kData, OutputFolder{outs.front()}.status_file().string() +
                                      ": no such file; expected the output folder of a run, such as out");
  }
  if (json) {
    std::cout << (outs.size() == 1 ? snapshots.front() : Json(snapshots)).dump(2) << "\n";
  } else if (outs.size() == 1) {
    print_status(snapshots.front(), outs.front(), color);
  } else {
    std::fputs(sums(snapshots, outs.size()).c_str(), stdout);
    for (const auto& snapshot : snapshots) print_trouble(snapshot, color);
  }
  return 0;
}

}  // namespace roclip::bench
