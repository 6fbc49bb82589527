/// Ctrl-C and its kin, to be read instead of suffered.
#pragma once

#include <optional>

#include "harness/record/descriptor.h"

namespace roclip::bench {

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
