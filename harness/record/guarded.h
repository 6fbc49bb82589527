/// From an exception to a message and a documented exit code.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>

#include "harness/record/escape.h"
#include "roclip/error.h"

namespace roclip::bench {

/// What was printed is out, on a full disk too. @throws Error(kData)
inline void flush_stdout() {
  errno = 0;
  const bool flushed = std::cout.flush() && std::fflush(stdout) == 0;
  if (flushed && std::ferror(stdout) == 0) return;
  throw Error(ErrorKind::kData,
              std::string("stdout: cannot be written") + (errno == 0 ? "" : std::string(": ") + std::strerror(errno)));
}

/// @return what `program` returns, or the exit code of what it throws, which is then told on stderr
template <class Program>
int guarded(const Program& program) {
  try {
    const int code = program();
    flush_stdout();
    return code;
  } catch (const Error& e) {
    std::fprintf(stderr, "roclip-bench: %s\n", escape_lines(e.what()).c_str());
    return e.exit_code();
  } catch (const std::filesystem::filesystem_error& e) {  // such as a name of more than 255 bytes
    std::fprintf(stderr, "roclip-bench: %s: %s\n", escape_lines(e.path1().string()).c_str(),
                 e.code().message().c_str());
    return static_cast<int>(ErrorKind::kData);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "roclip-bench: internal error: %s\n", escape_lines(e.what()).c_str());
    return static_cast<int>(ErrorKind::kInternal);
  }
}

}  // namespace roclip::bench
