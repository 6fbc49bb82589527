#include "harness/app/subcommands.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <utility>

#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/record/build_info.h"
#include "harness/record/files.h"
#include "harness/record/machine.h"
#include "harness/record/paths.h"
#include "harness/record/protocol.h"
#include "harness/record/text.h"
#include "harness/run/worker.h"

namespace roclip::bench {

namespace {

namespace fs = std::filesystem;

constexpr int kEngineLimit_s = 60;
constexpr int kNotStarted = 127;

Json program() {
  const std::string type = kBuildType, found = std::string("roclip-bench ") + kVersion + ", " + type + " build with " +
                                               kCompiler + " of " + kGitRevision + (kGitDirty ? ", changed since" : "");
  if (type == "Release") return finding("program", "ok", found);
  return finding("program", "warn", found, "this build is for debugging and slow: cmake --preset release");
}

Json machine() {
  constexpr double kWorkerBytes = 2e9;
  const auto cores = allowed_cpus().size();
  const double bytes = machine_memory_mib() * 1024 * 1024;
  const auto found = counted(std::int64_t(cores), "core") + ", " +
                     (std::isfinite(bytes) ? show_bytes(bytes) + " of memory" : "memory of unknown size");
  if (bytes >= kWorkerBytes * static_cast<double>(cores)) return finding("machine", "ok", found);
  const auto jobs = std::max(1, static_cast<int>(bytes / kWorkerBytes));
  return finding("machine", "warn", found,
                 "a worker may take 2 GB and each core gets one: run with --jobs " + std::to_string(jobs));
}

/// Room and right to write at this place, or where it would be made.
Json disk(const std::string& what, fs::path folder, const std::string& fix) {
  constexpr double kEnoughBytes = 2e9;
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
  const auto found = wanted + ", " + show_bytes(static_cast<double>(space.available)) + " free";
  return static_cast<double>(space.available) >= kEnoughBytes ? finding(what, "ok", found)
                                                              : finding(what, "warn", found, "2 GB are enough; " + fix);
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

struct EngineEnd {
  std::string told;        ///< what it printed
  int status = 0;          ///< as of waitpid(2)
  bool timed_out = false;  ///< and was killed
};

EngineEnd run_engine(const fs::path& engine, const Json& task) {
  const Descriptor output(::memfd_create("output", MFD_CLOEXEC));
  const std::string name = engine.filename(), text = task.dump();
  const pid_t pid = ::fork();
  if (pid < 0) throw Error(ErrorKind::kInternal, std::string("fork: ") + std::strerror(errno));
  if (pid == 0) {
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) ::dup2(output.get(), stream);
    ::execl(engine.c_str(), name.c_str(), text.c_str(), nullptr);
    ::dprintf(STDERR_FILENO, "%s: %s", engine.c_str(), std::strerror(errno));
    ::_exit(kNotStarted);
  }
  const Descriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd wait{ended.get(), POLLIN, 0};
  EngineEnd end;
  end.timed_out = ::poll(&wait, 1, 1000 * kEngineLimit_s) == 0;
  if (end.timed_out) ::kill(pid, SIGKILL);
  while (::waitpid(pid, &end.status, 0) < 0 && errno == EINTR) {
  }
  end.told = read_file("/proc/self/fd/" + std::to_string(output.get()));
  return end;
}

/// What the engine finds; why it cannot look, if it cannot.
Json engine_findings(const Paths& plugin_path) {
  prepare_blas();  // as in a worker
  auto [told, status, timed_out] =
      run_engine(program_dir() / "roclip-bench-engine", {{"task", "doctor"}, {"plugin_path", plugin_path}});
  Json findings = Json::array();
  if (const auto begin = told.rfind(kFindings); begin != std::string::npos) {
    const auto end = std::min(told.find('\n', begin), told.size());
    const auto text = begin + kFindings.size();
    Json answer = Json::parse(told.substr(text, end - text), nullptr, /*allow_exceptions=*/false);
    if (answer.is_array()) findings = std::move(answer);
    told.erase(begin, end - begin);
  }
  if (status == 0 && !findings.empty()) return findings;
  while (told.ends_with('\n')) told.pop_back();
  const auto last = told.substr(told.rfind('\n') + 1);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotStarted) {
    return Json::array({finding("engine", "fail", "cannot start: " + last,
                                "install what is missing (harness/cmake/install-packages names it), or build or "
                                "install the program again: roclip-bench-engine "
                                "stands beside it, its libraries in ../lib")});
  }
  const auto how = timed_out     ? "took more than " + std::to_string(kEngineLimit_s) + " s"
                   : status == 0 ? "ended before it had looked"
                                 : how_it_ended(status);
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
  std::printf("%zu checks: %d failed, %d with a warning.\n", findings.size(), failures, warnings);
  return code;
}

}  // namespace roclip::bench
