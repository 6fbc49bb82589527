/// Lines of `roclip-bench doctor`.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "roclip/error.h"

namespace roclip::bench {

/// Front of the line with the engine's findings, among whatever plugins print.
inline constexpr std::string_view kFindings = "roclip-bench findings: ";

/// @param state "ok"; "warn" = works, but slowly or not all of it; "fail" = a run would end with `code`
/// @param fix what to do about it
inline nlohmann::json finding(const std::string& what, const std::string& state, const std::string& found,
                              const std::string& fix = "", ErrorKind code = ErrorKind::kInternal) {
  return {{"what", what},
          {"state", state},
          {"found", found},
          {"fix", fix},
          {"code", state == "fail" ? static_cast<int>(code) : 0}};
}

}  // namespace roclip::bench
