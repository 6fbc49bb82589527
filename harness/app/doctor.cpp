#include "harness/app/doctor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <utility>

#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/app/help.h"
#include "harness/record/build_info.h"
#include "harness/record/finding.h"
#include "harness/record/machine.h"
#include "harness/record/paths.h"
#include "harness/run/worker.h"

namespace roclip::bench {

namespace {

namespace fs = std::filesystem;

constexpr double kGibi = 1024.0 * 1024 * 1024;
constexpr std::chrono::seconds kEngineLimit(60);

std::string gibi(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", bytes / kGibi);
  return text;
}

Json program() {
  const std::string type = kBuildType, found = std::string("roclip-bench ") + kVersion + ", " + type + " build with " +
                                               kCompiler + " of " + kGitRevision + (kGitDirty ? ", changed since" : "");
  if (type == "Release") return finding("program", "ok", found);
  return finding("program", "warn", found, "this build is for debugging and slow: cmake --preset release");
}

Json machine() {
  constexpr double kWorkerGibi = 2;
  const auto cores = allowed_cpus().size();
  const double bytes = machine_memory_mib() * 1024 * 1024;
  const auto found = std::to_string(cores) + (cores == 1 ? " core, " : " cores, ") +
                     (std::isfinite(bytes) ? gibi(bytes) + " of memory" : "memory of unknown size");
  if (bytes >= kWorkerGibi * static_cast<double>(cores) * kGibi) return finding("machine", "ok", found);
  const auto jobs = std::max(1, static_cast<int>(bytes / (kWorkerGibi * kGibi)));
  return finding("machine", "warn", found,
                 "a worker may take 2 GiB and each core gets one: run with --jobs " + std::to_string(jobs));
}

/// Room and right to write at this place, or where it would be made.
Json disk(const std::string& what, fs::path folder, const std::string& fix) {
  constexpr double kEnough = 2 * kGibi;
  const auto wanted = folder.string();
  folder = fs::absolute(folder);
  std::error_code error;
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  if (!fs::is_directory(folder, error)) errno = ENOTDIR;
  if (!fs::is_directory(folder, error) || ::access(folder.c_str(), W_OK) != 0) {
    return finding(what, "fail", wanted + ": cannot be written: " + std::strerror(errno), fix, ErrorKind::kData);
  }
  const auto space = fs::space(folder, error);
  if (error) return finding(what, "warn", wanted + ": free space unknown: " + error.message(), fix);
  const auto found = wanted + ", " + gibi(static_cast<double>(space.available)) + " free";
  return static_cast<double>(space.available) >= kEnough ? finding(what, "ok", found)
                                                         : finding(what, "warn", found, "2 GiB are enough; " + fix);
}

Json cache() {
  const auto fix = "set ROCLIP_BENCH_CACHE to a folder with room to write";
  try {
    return disk("cache", cache_dir(), fix);
  } catch (const Error& e) {
    return finding("cache", "fail", e.what(), fix, ErrorKind::kData);
  }
}

/// @param state if it is missing
Json tool(const std::string& name, const std::string& use, const std::string& state = "warn") {
  const char* path = std::getenv("PATH");
  for (const auto& folder : CLI::detail::split(path == nullptr ? "" : path, ':')) {
    const auto file = fs::path(folder) / name;
    if (!folder.empty() && ::access(file.c_str(), X_OK) == 0) return finding(name, "ok", file.string());
  }
  return finding(name, state, "not on the PATH; it " + use, "apt-get install " + name, ErrorKind::kData);
}

struct Ended {
  std::string output;      ///< stdout and stderr
  int status = 0;          ///< of waitpid()
  bool timed_out = false;  ///< and was killed
};

Ended run_engine(const fs::path& engine, const Json& task) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw Error(ErrorKind::kInternal, std::string("pipe: ") + std::strerror(errno));
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addclose(&actions, from.get());
  ::posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, to.get(), STDERR_FILENO);
  std::string name = engine.filename(), text = task.dump();
  std::array<char*, 3> arguments = {name.data(), text.data(), nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, engine.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  Ended ended;
  if (error != 0) return {.output = engine.string() + ": " + std::strerror(error), .status = 127 << 8};
  to = Descriptor();
  const auto deadline = std::chrono::steady_clock::now() + kEngineLimit;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 1; got != 0;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd output{from.get(), POLLIN, 0};
    ended.timed_out = left <= 0;
    if (ended.timed_out) break;
    if (::poll(&output, 1, static_cast<int>(left)) <= 0) continue;
    got = ::read(from.get(), buffer.data(), buffer.size());
    if (got > 0) ended.output.append(buffer.data(), static_cast<std::size_t>(got));
    if (got < 0 && errno != EINTR) break;
  }
  if (ended.timed_out) ::kill(pid, SIGKILL);
  while (::waitpid(pid, &ended.status, 0) < 0 && errno == EINTR) {
  }
  return ended;
}

/// What to do when the engine says this instead of starting.
std::string cure(const std::string& told) {
  constexpr std::pair<const char*, const char*> kPackages[] = {{"libtorch", "libtorch-dev"},
                                                               {"libc10", "libtorch-dev"},
                                                               {"libopencv_core", "libopencv-core-dev"},
                                                               {"libopencv_imgproc", "libopencv-imgproc-dev"},
                                                               {"libopencv_imgcodecs", "libopencv-imgcodecs-dev"},
                                                               {"librsvg", "librsvg2-dev"},
                                                               {"libxxhash", "libxxhash-dev"},
                                                               {"libboost", "libboost-filesystem-dev"},
                                                               {"libarchive", "libarchive-dev"},
                                                               {"libblas", "libopenblas0-openmp"},
                                                               {"libopenblas", "libopenblas0-openmp"}};
  for (const auto& [library, package] : kPackages) {
    if (told.find(std::string(library)) != std::string::npos) return std::string("apt-get install ") + package;
  }
  return "build or install the program again: roclip-bench-engine stands beside it, its libraries in ../lib";
}

/// What the engine finds; why it cannot look, if it cannot.
Json engine_findings(const Paths& plugin_path) {
  prepare_blas();  // as in a worker
  const auto ended =
      run_engine(program_dir() / "roclip-bench-engine", {{"task", "doctor"}, {"plugin_path", plugin_path}});
  auto told = ended.output;
  Json findings = Json::array();
  if (const auto begin = told.rfind(kFindings); begin != std::string::npos) {
    const auto end = std::min(told.find('\n', begin), told.size());
    const auto text = begin + kFindings.size();
    Json answer = Json::parse(told.substr(text, end - text), nullptr, /*allow_exceptions=*/false);
    if (answer.is_array()) findings = std::move(answer);
    told.erase(begin, end - begin);
  }
  if (ended.status == 0 && !findings.empty()) return findings;
  while (told.ends_with('\n')) told.pop_back();
  const auto last = told.substr(told.rfind('\n') + 1);
  if (WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == 127) {
    return Json::array({finding("engine", "fail", "cannot start: " + last, cure(last))});
  }
  const auto how = ended.timed_out     ? "took more than " + std::to_string(kEngineLimit.count()) + " s"
                   : ended.status == 0 ? "ended before it had looked"
                                       : how_it_ended(ended.status);
  findings.push_back(finding("engine", "fail", how + (last.empty() ? "" : ": " + last),
                             "if a plugin does it, take its folder off the search path"));
  return findings;
}

void print(const Json& findings) {
  for (const auto& f : findings) {
    const auto state = f.at("state").get<std::string>();
    std::printf("%-4s  %-8s  %s\n", state == "fail" ? "FAIL" : state.c_str(), f.at("what").get<std::string>().c_str(),
                f.at("found").get<std::string>().c_str());
    if (const auto fix = f.at("fix").get<std::string>(); !fix.empty()) std::printf("%16sfix: %s\n", "", fix.c_str());
  }
}

}  // namespace

int doctor_command(const Paths& plugin_path, bool json) {
  Json found = engine_findings(plugin_path), place = cache();
  const auto data_is = [&](const char* state) {
    return std::ranges::any_of(found, [&](const Json& f) { return f.at("what") == "data" && f.at("state") == state; });
  };
  if (data_is("ok") && place.at("state") == "fail") place.update({{"state", "warn"}, {"code", 0}});  // nothing to write
  Json findings = {program(),
                   machine(),
                   place,
                   disk("disk", fs::current_path(), "write elsewhere: roclip-bench run FILE --out FOLDER"),
                   tool("git", "names the revision of a build in its results"),
                   tool("npm", "fetches the drawings of emoji", data_is("warn") ? "fail" : "warn")};
  for (auto& f : found) findings.push_back(std::move(f));
  int code = 0, warnings = 0, failures = 0;
  for (const auto& f : findings) {
    warnings += f.at("state") == "warn";
    failures += f.at("state") == "fail";
    if (code == 0) code = f.at("code");
  }
  if (json) {
    const Json all = {{"checks", findings}, {"warnings", warnings}, {"failures", failures}};
    std::cout << all.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return code;
  }
  print(findings);
  if (failures > 0) {
    std::printf("%d of %zu checks failed.\n", failures, findings.size());
  } else if (warnings > 0) {
    std::printf("A run works; %d of %zu checks have a warning.\n", warnings, findings.size());
  } else {
    std::printf("All %zu checks passed.\n", findings.size());
  }
  return code;
}

}  // namespace roclip::bench
