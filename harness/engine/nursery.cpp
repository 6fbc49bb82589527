#include "harness/engine/nursery.h"

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/engine/worker.h"

namespace roclip::bench {

namespace {

using Descriptors = std::array<int, 3>;  // task, log, events

/// @return false when the supervisor has closed the socket
bool receive(Descriptors& descriptors) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(Descriptors))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(kNurserySocket, &message, 0);
  } while (got < 0 && errno == EINTR);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (got <= 0 || header == nullptr) return false;
  std::memcpy(descriptors.data(), CMSG_DATA(header), sizeof(Descriptors));
  return true;
}

/// The new process's side: takes its place in the world, then works.
[[noreturn]] void worker(const Descriptors& descriptors, pid_t parent, pid_t supervisor) {
  while (::getppid() == parent) ::usleep(100);  // it ends at once, and the supervisor adopts us
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(0);  // gone before prctl() could tell us
  ::setpgid(0, 0);                            // so that what a plugin starts can be ended with it
  const pid_t self = ::getpid();
  if (::write(kNurserySocket, &self, sizeof self) != sizeof self) ::_exit(0);
  ::dup2(descriptors[0], kTaskDescriptor);
  ::dup2(descriptors[1], STDOUT_FILENO);
  ::dup2(descriptors[1], STDERR_FILENO);
  ::dup2(descriptors[2], kEventDescriptor);  // closes the socket
  for (const int descriptor : descriptors) {
    if (descriptor > kEventDescriptor) ::close(descriptor);
  }
  const int code = worker_main();
  std::fflush(nullptr);
  ::_exit(code);  // nothing of LibTorch's needs its destructor
}

}  // namespace

int nursery_main() {
  // Activations come and go every step; handing them back to the kernel each time costs 15 % of a step (tiny, CPU).
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, INT_MAX);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a full quota is an error of write(), and so a reason in the result
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  at::set_num_threads(1);  // and no thread may run before fork()
  const pid_t supervisor = ::getppid();
  for (Descriptors descriptors{}; receive(descriptors);) {
    const pid_t parent = ::fork();
    if (parent == 0) {
      const pid_t middle = ::getpid();
      if (const pid_t child = ::fork(); child != 0) ::_exit(child < 0 ? 1 : 0);
      worker(descriptors, middle, supervisor);
    }
    for (const int descriptor : descriptors) ::close(descriptor);
    int status = 0;
    if (parent > 0) ::waitpid(parent, &status, 0);
    if (parent < 0 || status != 0) {
      const pid_t none = -1;
      if (::write(kNurserySocket, &none, sizeof none) < 0) return 1;
    }
  }
  return 0;
}

}  // namespace roclip::bench
