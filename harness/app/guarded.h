/// From an exception to a message and a documented exit code.
#pragma once

#include <cstdio>
#include <exception>

#include "roclip/error.h"

namespace roclip::bench {

/// @return what `program` returns, or the exit code of what it throws, which is then told on stderr
template <class Program>
int guarded(const Program& program) {
  try {
    return program();
  } catch (const Error& e) {
    std::fprintf(stderr, "roclip-bench: %s\n", e.what());
    return e.exit_code();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "roclip-bench: internal error: %s\n", e.what());
    return static_cast<int>(ErrorKind::kInternal);
  }
}

}  // namespace roclip::bench
