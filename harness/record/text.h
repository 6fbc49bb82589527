/// Text put together.
#pragma once

#include <array>
#include <cstdarg>
#include <cstdio>
#include <string>

namespace roclip::bench {

/// As printf() writes it; for numbers, so cut to 511 bytes.
__attribute__((format(printf, 1, 2))) inline std::string format(const char* pattern, ...) {
  std::array<char, 512> text{};
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text.data(), text.size(), pattern, arguments);
  va_end(arguments);
  return text.data();
}

/// "1 cell", "2 cells"
inline std::string counted(std::int64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

}  // namespace roclip::bench
