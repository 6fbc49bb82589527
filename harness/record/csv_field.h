/// Writing comma-separated values, RFC 4180.
#pragma once

#include <string>

namespace roclip::bench {

/// The text as a field: in quotes, with its quotes doubled, where it could be read as something else.
inline std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace roclip::bench
