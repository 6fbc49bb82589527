/// What the engine does with a task of harness/record/protocol.h.
#pragma once

#include "harness/record/protocol.h"

namespace roclip::bench {

/// Does it and ends the process, with its exit code. @param events descriptor
[[noreturn]] void work(const Json& task, int events);

}  // namespace roclip::bench
