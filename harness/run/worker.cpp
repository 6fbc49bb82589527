#include "harness/run/worker.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/record/files.h"
#include "harness/record/machine.h"
#include "harness/record/paths.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

constexpr int kWorkerEvents = 3;  // descriptor in the engine

[[noreturn]] void fail(const std::string& what, int error) {
  throw Error(ErrorKind::kInternal, "cannot start a worker: " + what + ": " + std::strerror(error) +
                                        "; `roclip-bench doctor` says what to do");
}

/// Out of the way of the descriptors that the engine will have.
Descriptor beyond(int descriptor) {
  const Descriptor original(descriptor);
  Descriptor moved(::fcntl(descriptor, F_DUPFD_CLOEXEC, kWorkerEvents + 1));
  if (!moved) fail("descriptor", errno);
  return moved;
}

/// A file in memory with this content, at its beginning.
Descriptor in_memory(const std::string& content) {
  Descriptor file = beyond(::memfd_create("task", MFD_CLOEXEC));
  if (!write_all(file.get(), content) || ::lseek(file.get(), 0, SEEK_SET) != 0) fail("task", errno);
  return file;
}

pid_t start_engine(int task, int log, int events) {
  prepare_blas();
  const auto engine = (program_dir() / "roclip-bench-engine").string();
  const auto descriptor = std::to_string(kWorkerEvents);
  const std::array<const char*, 4> arguments = {"roclip-bench-engine", "-", descriptor.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, task, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, log, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, events, kWorkerEvents);
  // Away from the terminal's Ctrl-C, and without the signals that the supervisor blocks.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, engine.c_str(), &actions, &attributes, const_cast<char**>(arguments.data()), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) fail(engine, error);
  return pid;
}

}  // namespace

Worker::Worker(Task task, const std::filesystem::path& log) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGPIPE, SIG_IGN);
  log_ = Descriptor(log.empty() ? ::memfd_create("log", MFD_CLOEXEC)
                                : ::open(log.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644));
  if (!log_) throw Error(ErrorKind::kData, log.string() + ": cannot be written: " + std::strerror(errno));
  log_ = beyond(log_.release());
  std::visit([](auto& kind) { kind.supervisor = ::getpid(); }, task);
  const Descriptor input = in_memory(write_task(task));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe", errno);
  events_ = Descriptor(ends[0]);
  const Descriptor events = beyond(ends[1]);
  ::fcntl(events_.get(), F_SETFL, O_NONBLOCK);
  pid_ = start_engine(input.get(), log_.get(), events.get());
  end_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!end_) {
    const std::string why = std::strerror(errno);
    signal(SIGKILL);
    reap();
    throw Error(ErrorKind::kInternal, "cannot watch a worker: pidfd_open: " + why + " (Linux 5.3 or later is needed)");
  }
}

Worker::~Worker() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  reap();
}

std::vector<Event> Worker::read() {
  constexpr std::size_t kMost = 1 << 28;  // of a plugin that writes without end, the rest later
  std::array<char, 65536> chunk;
  while (buffer_.size() < kMost) {
    const auto got = events_ ? ::read(events_.get(), chunk.data(), chunk.size()) : 0;
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) events_ = Descriptor();
    if (got <= 0) break;
    buffer_.append(chunk.data(), static_cast<std::size_t>(got));
  }
  std::vector<Event> events;
  std::size_t begin = 0;
  for (auto end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n', begin)) {
    try {
      events.push_back(read_event(std::string_view(buffer_).substr(begin, end - begin)));
    } catch (const std::exception&) {  // a plugin wrote to a descriptor that is not its own
    }
    begin = end + 1;
  }
  buffer_.erase(0, begin);
  if (buffer_.size() >= kMost) buffer_.clear();  // no line of ours is that long
  return events;
}

void Worker::signal(int number) {
  if (pid_ <= 0) return;
  ::kill(pid_, number);
  if (number == SIGKILL) ::kill(-pid_, number);
}

bool Worker::has_ended(int wait_ms) const {
  pollfd end{end_.get(), POLLIN, 0};
  return ::poll(&end, 1, wait_ms) > 0;
}

int Worker::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  ::kill(-pid_, SIGKILL);  // what a plugin started and left behind
  pid_ = -1;
  return status;
}

double Worker::memory_mib() const { return resident_mib(pid_); }

std::string Worker::last_output() const {
  constexpr std::size_t kLongest = 600, kLines = 5;
  std::array<char, 4096> buffer;
  const auto size = ::lseek(log_.get(), 0, SEEK_END);
  const auto from = std::max<off_t>(0, size - static_cast<off_t>(buffer.size()));
  const auto got = ::pread(log_.get(), buffer.data(), buffer.size(), from);
  std::string text(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' && c != '\n') c = '?';
  }
  std::size_t lines = 0, begin = text.size();
  while (begin > 0 && text.size() - begin < kLongest && (text[begin - 1] != '\n' || ++lines < kLines)) --begin;
  return text.substr(begin);
}

void end_orphans(const std::function<bool(pid_t)>& spare) {
  std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  for (pid_t pid = 0; children >> pid;) {
    if (spare(pid)) continue;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
}

std::string how_it_ended(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    return "ended by signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
  }
  return "exited with code " + std::to_string(WEXITSTATUS(wait_status));
}

}  // namespace roclip::bench
