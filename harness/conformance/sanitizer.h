/// Plugins that were built with -fsanitize=address or -fsanitize=thread, in a program that was not.
#pragma once

#include <string>

#include "roclip/params.h"

namespace roclip::bench::conformance {

/// The library of a sanitizer must be in a process before all others: starts this program again with it, unless it is
/// there. Does not return then. Sets the options ASAN_OPTIONS and TSAN_OPTIONS unless the user has.
/// @param library Stamp::sanitizer. @param task of the engine, to begin with again
/// @throws Error(kPlugin) if the library cannot be loaded
void start_with_sanitizer(const std::string& library, const Json& task);

}  // namespace roclip::bench::conformance
