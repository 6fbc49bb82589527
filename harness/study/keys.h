/// What every part of a matrix file is checked with.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "roclip/error.h"
#include "roclip/params.h"

namespace roclip::bench {

/// @throws Error(kMatrix), always. @param where file and key
[[noreturn]] inline void refuse(const std::string& where, const std::string& expected, const Json& got) {
  constexpr std::size_t kMost = 200;
  std::string text = got.dump();
  if (text.size() > kMost) text = text.substr(0, text.find_last_of(" ,", kMost)) + " ...";
  throw Error(ErrorKind::kMatrix, where + ": expected " + expected + ", got " + text);
}

/// @throws Error(kMatrix) if it is no object, or has a key that is not known
inline void only_keys(const Json& object, const std::vector<std::string>& known, const std::string& where) {
  if (!object.is_object()) refuse(where, "an object", object);
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    throw Error(ErrorKind::kMatrix, where + "/" + key + ": unknown key" + did_you_mean(key, known));
  }
}

}  // namespace roclip::bench
