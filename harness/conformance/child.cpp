#include "harness/conformance/child.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/record/files.h"
#include "harness/record/machine.h"
#include "harness/record/paths.h"
#include "roclip/error.h"
#include "stamps.h"

namespace roclip::bench::conformance {

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void work_in_child(const std::function<Json()>& work, int answer, int log, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);  // gone before prctl() could tell us
  ::setpgid(0, 0);                        // so that what a plugin starts can be ended with it
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  const auto text = work().dump(-1, ' ', false, Json::error_handler_t::replace);
  write_all(answer, text);
  std::fflush(nullptr);
  ::_exit(0);  // nothing of LibTorch's needs its destructor
}

/// Reads what the child answers, until it ends or has to: then says why.
void watch(pid_t child, int answer, double limit_s, const Signals& signals, std::string& text, ChildEnd& end) {
  constexpr std::int64_t kTickMs = 100;
  const auto deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limit_s));
  std::array<char, 4096> buffer{};
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    std::array<pollfd, 2> wait{pollfd{answer, POLLIN, 0}, pollfd{signals.descriptor(), POLLIN, 0}};
    ::poll(wait.data(), wait.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, kTickMs)));
    if (wait[0].revents != 0) {
      const auto got = ::read(answer, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return;
      text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    if (const auto signal = signals.take()) {
      end.signal = *signal;
      return;
    }
    if (left <= 0) end.how = "ran longer than " + std::to_string(static_cast<std::int64_t>(limit_s)) + " s";
    if (resident_mib(child) > kMemoryShare * machine_memory_mib()) {
      end.how = "took more than " + std::to_string(std::llround(100 * kMemoryShare)) + " % of the machine's memory";
    }
    end.took_too_much = !end.how.empty();
    if (end.took_too_much) return;
  }
}

/// What says most of why a child died: the report of a sanitizer without what follows it, else the last lines.
std::string worth_reading(int log) {
  constexpr std::size_t kMost = 600, kMostOfReport = 2000;
  constexpr off_t kMostRead = 1 << 20;  // of a plugin that prints without end
  const off_t length = std::max<off_t>(0, ::lseek(log, 0, SEEK_END)), begin = std::max<off_t>(0, length - kMostRead);
  std::string text(static_cast<std::size_t>(length - begin), '\0');
  const auto got = ::pread(log, text.data(), text.size(), begin);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  if (const auto named = text.find("Sanitizer: "); named != std::string::npos) {
    text.erase(0, text.rfind('\n', named) + 1);
    text.erase(std::min({text.find("\nSUMMARY: "), kMostOfReport, text.size()}));
  } else if (text.size() > kMost) {
    text.erase(0, text.size() - kMost);
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

/// Of an option that is given twice the later counts: that of the user.
void set_options(const char* variable, const std::string& ours) {
  const char* theirs = std::getenv(variable);
  ::setenv(variable, (theirs == nullptr ? ours : ours + ":" + theirs).c_str(), 1);
}

}  // namespace

ChildEnd in_child(const std::function<Json()>& work, double limit_s, const Signals& signals) {
  std::array<int, 2> answer{};
  const int log = ::memfd_create("output", MFD_CLOEXEC);
  if (log < 0 || ::pipe2(answer.data(), O_CLOEXEC) != 0) {
    throw Error(ErrorKind::kInternal, std::string("cannot create a pipe: ") + std::strerror(errno));
  }
  std::fflush(nullptr);
  const pid_t self = ::getpid(), child = ::fork();
  if (child < 0) throw Error(ErrorKind::kInternal, std::string("cannot create a process: ") + std::strerror(errno));
  if (child == 0) work_in_child(work, answer[1], log, self);
  ::close(answer[1]);

  const auto start = Clock::now();
  std::string text;
  ChildEnd end;
  watch(child, answer[0], limit_s, signals, text, end);
  end.wall_s = std::chrono::duration<double>(Clock::now() - start).count();
  ::kill(-child, SIGKILL);
  ::kill(child, SIGKILL);  // should it not lead its group yet
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (auto result = Json::parse(text, nullptr, /*allow_exceptions=*/false); !result.is_discarded()) {
    end.result = std::move(result);
  } else if (!end.took_too_much && WIFSIGNALED(status)) {
    end.how = "ended by signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  } else if (!end.took_too_much) {
    end.how = "ended with exit code " + std::to_string(WEXITSTATUS(status));
  }
  if (!end.result) end.output = worth_reading(log);
  ::close(answer[0]);
  ::close(log);
  return end;
}

void start_with_sanitizer(const std::string& library, const Json& task) {
  if (library.empty() || is_loaded(library)) return;
  const char* variable = std::getenv("LD_PRELOAD");
  const std::string others = variable == nullptr ? "" : variable;
  if (others.find(library) != std::string::npos) {
    throw Error(ErrorKind::kPlugin,
                "the plugin was built with a sanitizer, whose " + library +
                    " cannot be loaded; install it (it comes with the compiler) or build without a sanitizer");
  }
  ::setenv("LD_PRELOAD", (others.empty() ? library : library + ":" + others).c_str(), 1);
  // Checks end without the destructors before which leaks are looked for; no_leak counts bytes itself.
  set_options("ASAN_OPTIONS", "detect_leaks=0:detect_odr_violation=0:allocator_may_return_null=1");
  set_options("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1");
  set_options("TSAN_OPTIONS", "halt_on_error=1:suppressions='" + (share_dir() / "tsan.supp").string() + "'");
  ::personality(ADDR_NO_RANDOMIZE);  // ThreadSanitizer cannot live with every address; where forbidden, it may still
  const std::string text = task.dump();
  ::execl("/proc/self/exe", "roclip-bench-engine", text.c_str(), static_cast<char*>(nullptr));
  throw Error(ErrorKind::kInternal, std::string("cannot start again: ") + std::strerror(errno));
}

}  // namespace roclip::bench::conformance
