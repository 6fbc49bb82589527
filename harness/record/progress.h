#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace roclip::bench {

/// Tells a person how far something is: "rendering emoji", 640 of 11,500. A total of 0 makes `what` a notice, a line to
/// be shown as it is. Called from one thread, the caller's.
using Progress = std::function<void(std::string_view what, std::int64_t done, std::int64_t total)>;

}  // namespace roclip::bench
