#include "harness/run/worker.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/record/files.h"
#include "harness/record/machine.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

/// Both ends of a pipe, ours not blocking.
struct Pipe {
  Descriptor read_end, write_end;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw Error(ErrorKind::kInternal, std::string("cannot start a worker: pipe: ") + std::strerror(errno));
    }
    read_end = Descriptor(ends[0]);
    write_end = Descriptor(ends[1]);
  }
};

}  // namespace

Worker::Worker(Nursery& nursery, const Json& task, const std::filesystem::path& log) {
  log_ = Descriptor(log.empty() ? ::memfd_create("log", MFD_CLOEXEC)
                                : ::open(log.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644));
  if (!log_) throw Error(ErrorKind::kData, log.string() + ": cannot be written: " + std::strerror(errno));
  Pipe input, events;
  pid_ = nursery.fork_worker(input.read_end.get(), log_.get(), events.write_end.get());
  end_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!end_) {
    const std::string why = std::strerror(errno);
    signal(SIGKILL);
    reap();
    throw Error(ErrorKind::kInternal, "cannot watch a worker: pidfd_open: " + why + " (Linux 5.3 or later is needed)");
  }
  events_ = std::move(events.read_end);
  ::fcntl(events_.get(), F_SETFL, O_NONBLOCK);
  input.read_end = Descriptor();
  write_all(input.write_end.get(), task.dump());  // if it has ended before it read this, that shows soon enough
}

Worker::~Worker() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  reap();
}

std::vector<Json> Worker::read() {
  constexpr std::size_t kMost = 1 << 28;  // of a plugin that writes without end, the rest later
  std::array<char, 65536> chunk;
  while (buffer_.size() < kMost) {
    const auto got = events_ ? ::read(events_.get(), chunk.data(), chunk.size()) : 0;
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) events_ = Descriptor();
    if (got <= 0) break;
    buffer_.append(chunk.data(), static_cast<std::size_t>(got));
  }
  std::vector<Json> events;
  std::size_t begin = 0;
  for (auto end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n', begin)) {
    Json event = Json::parse(buffer_.begin() + static_cast<std::ptrdiff_t>(begin),
                             buffer_.begin() + static_cast<std::ptrdiff_t>(end), nullptr, /*allow_exceptions=*/false);
    begin = end + 1;
    if (event.is_object()) events.push_back(std::move(event));
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

int Worker::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  ::kill(-pid_, SIGKILL);  // what a plugin started and left behind
  pid_ = -1;
  return status;
}

double Worker::running_s() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
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

}  // namespace roclip::bench
