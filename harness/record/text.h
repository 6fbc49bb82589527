/// Text put together.
#pragma once

#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdint>
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

/// "48 s", "3 min 20 s", "2 h 05 min"
inline std::string show_duration(double seconds) {
  const auto s = std::llround(seconds);
  if (s < 100) return format("%lld s", s);
  if (s < 6000) return format("%lld min %02lld s", s / 60, s % 60);
  return format("%lld h %02lld min", s / 3600, s / 60 % 60);
}

/// "1 cell", "2 cells"
inline std::string counted(std::int64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

}  // namespace roclip::bench
