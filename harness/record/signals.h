/// Descriptors with an owner; Ctrl-C and its kin, to be read instead of suffered.
#pragma once

#include <optional>
#include <utility>

namespace roclip::bench {

/// A file descriptor with an owner.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// From its construction on, SIGINT, SIGTERM and SIGHUP of this process wait to be taken. A signal that is ignored
/// (nohup) stays ignored.
class Signals {
 public:
  Signals();
  /// To be polled for input.
  int descriptor() const { return descriptor_.get(); }
  /// The next one; none if there is none.
  std::optional<int> take() const;

 private:
  Descriptor descriptor_;
};

}  // namespace roclip::bench
