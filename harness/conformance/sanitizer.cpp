#include "harness/conformance/sanitizer.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <sys/personality.h>
#include <unistd.h>

#include "harness/record/paths.h"
#include "stamps.h"

namespace roclip::bench::conformance {

namespace {

/// Of an option that is given twice the later counts: that of the user.
void set_options(const char* variable, const std::string& ours) {
  const char* theirs = std::getenv(variable);
  ::setenv(variable, (theirs == nullptr ? ours : ours + ":" + theirs).c_str(), 1);
}

}  // namespace

void start_with_sanitizer(const std::string& library, const Json& task) {
  if (library.empty() || is_loaded(library)) return;
  const char* variable = std::getenv("LD_PRELOAD");
  const std::string others = variable == nullptr ? "" : variable;
  if (others.find(library) != std::string::npos) {
    throw Error(ErrorKind::kPlugin, "the plugin was built with a sanitizer, whose " + library +
                                        " cannot be loaded; install it (it comes with the compiler) or build without");
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
