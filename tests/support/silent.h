/// For tests that do not look at progress.
#pragma once

#include <cstdint>
#include <string_view>

namespace roclip::bench {

inline void silent(std::string_view /*what*/, std::int64_t /*done*/, std::int64_t /*total*/) {}

}  // namespace roclip::bench
