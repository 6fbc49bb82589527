/// What the parts of a cell's record have in common as JSON.
#pragma once

#include <string>
#include <vector>

#include "harness/record/checked_json.h"

namespace roclip::bench {

inline Json null_if_empty(const std::string& text) { return text.empty() ? Json() : Json(text); }

/// A list that may be missing.
template <class Record>
std::vector<Record> read_list(const CheckedJson& json, Record (*read)(const CheckedJson&)) {
  std::vector<Record> list;
  if (json.is_null()) return list;
  for (const auto& item : json.items()) list.push_back(read(item));
  return list;
}

}  // namespace roclip::bench
