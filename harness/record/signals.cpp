#include "harness/record/signals.h"

#include <csignal>

#include <sys/signalfd.h>
#include <unistd.h>

namespace roclip::bench {

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Signals::Signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  descriptor_ = Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

std::optional<int> Signals::take() const {
  signalfd_siginfo info{};
  if (::read(descriptor_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace roclip::bench
