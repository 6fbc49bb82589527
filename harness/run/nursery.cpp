#include "harness/run/nursery.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/record/machine.h"
#include "harness/record/paths.h"

namespace roclip::bench {

namespace {

constexpr int kNurserySocket = 3;  // as in harness/engine/nursery.h

[[noreturn]] void fail(const std::string& what, int error) {
  throw Error(ErrorKind::kInternal, "cannot start a worker: " + what + ": " + std::strerror(error));
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Nursery::Nursery() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGPIPE, SIG_IGN);  // a worker that dies before it has read its task is a crashed cell, no more
}
Nursery::~Nursery() { stop(); }

void Nursery::start() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair", errno);
  Descriptor ours(ends[0]), theirs(ends[1]);
  std::vector<std::string> arguments = {"roclip-bench-engine", R"({"task": "nursery"})"};
  prepare_blas();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), kNurserySocket);
  // Away from the terminal's Ctrl-C, and without the signals that the supervisor blocks.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  const auto engine = program_dir() / "roclip-bench-engine";
  const int error = ::posix_spawn(&pid_, engine.c_str(), &actions, &attributes, pointers(arguments).data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    pid_ = -1;
    fail(engine.string(), error);
  }
  socket_ = std::move(ours);
}

void Nursery::stop() {
  socket_ = Descriptor();
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  pid_ = -1;
}

pid_t Nursery::fork_worker(int task, int log, int events) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!socket_) start();
    char byte = 0;
    iovec data{&byte, 1};
    const std::array descriptors{task, log, events};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof descriptors)> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptors);
    std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof descriptors);
    pid_t worker = -1;
    if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) == 1) {
      ssize_t got = 0;
      do {
        got = ::recv(socket_.get(), &worker, sizeof worker, 0);
      } while (got < 0 && errno == EINTR);
      if (got == sizeof worker && worker > 0) return worker;
    }
    stop();  // it is gone, or out of processes: once more with a new one
  }
  throw Error(ErrorKind::kInternal,
              "the engine does not start, or ends at once; its message stands above; "
              "`roclip-bench doctor` says what to do");
}

std::vector<pid_t> Nursery::children() {
  std::ifstream list("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  std::vector<pid_t> pids;
  for (pid_t pid = 0; list >> pid;) pids.push_back(pid);
  return pids;
}

void Nursery::end(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace roclip::bench
