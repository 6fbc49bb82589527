#include "roclip/dataset.h"

#include <algorithm>
#include <cctype>

#include "roclip/error.h"
#include "roclip/params.h"

namespace roclip {

std::int64_t class_index(const std::vector<ClassInfo>& classes, std::string_view name, const std::string& where) {
  const auto found = std::ranges::find(classes, name, &ClassInfo::name);
  if (found != classes.end()) return found - classes.begin();
  std::vector<std::string> names;
  std::string known;
  for (const auto& info : classes) {
    names.push_back(info.name);
    known += (known.empty() ? "" : ", ") + info.name;
  }
  throw Error(ErrorKind::kMatrix, where + ": the data set has no class \"" + std::string(name) + "\"" +
                                      did_you_mean(name, names) + " (classes: " + known + ")");
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  std::string word;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || c >= 0x80) {
      word += static_cast<char>(std::tolower(c));
    } else if (!word.empty()) {
      result.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) result.push_back(std::move(word));
  return result;
}

bool contains_phrase(std::string_view text, std::string_view phrase) {
  const auto haystack = words(text), needle = words(phrase);
  return !needle.empty() && !std::ranges::search(haystack, needle).empty();
}

}  // namespace roclip
