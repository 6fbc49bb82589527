#include "harness/record/checked_json.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <boost/algorithm/string/join.hpp>

#include "roclip/params.h"

namespace roclip::bench {

namespace {

const Json kNull;

/// Short, on one line.
std::string shown(const Json& json) {
  std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  constexpr std::size_t kMost = 200;
  if (text.size() > kMost) text.replace(kMost - 3, std::string::npos, "...");
  return text;
}

std::string number_text(double value) { return shown(Json(value)); }

}  // namespace

CheckedJson::CheckedJson(const Json& document, std::string where, std::string next_step, ErrorKind kind)
    : json_(&document),
      document_(std::make_shared<const Document>(Document{std::move(next_step), kind})),
      where_(std::move(where)) {}

void CheckedJson::fail(const std::string& what) const {
  const auto& next_step = document_->next_step;
  throw Error(document_->kind, where_ + ": " + what + (next_step.empty() ? "" : "; ") + next_step);
}

void CheckedJson::refuse(const std::string& expected) const { fail("expected " + expected + ", got " + shown(*json_)); }

void CheckedJson::only_keys(const std::vector<std::string>& known) const {
  for (const auto& [key, value] : members()) {
    if (std::ranges::find(known, key) == known.end()) value.fail("unknown key" + did_you_mean(key, known));
  }
}

void CheckedJson::check_version(int known) const {
  const auto version = at("schema_version");
  if (version.integer() != known) version.refuse(std::to_string(known) + ", the version that this program knows");
}

CheckedJson CheckedJson::below(const std::string& key, const Json& json) const {
  const bool is_file = where_.find(": /") == std::string::npos;
  return {json, document_, where_ + (is_file ? ": /" : "/") + key};
}

bool CheckedJson::has(const std::string& key) const { return object().contains(key); }

CheckedJson CheckedJson::get(const std::string& key) const {
  const auto found = object().find(key);
  return below(key, found == json_->end() ? kNull : *found);
}

CheckedJson CheckedJson::at(const std::string& key) const {
  if (!has(key)) get(key).fail("is missing");
  return get(key);
}

std::vector<CheckedJson> CheckedJson::items() const {
  if (!json_->is_array()) refuse("a list");
  std::vector<CheckedJson> list;
  for (std::size_t i = 0; i < json_->size(); ++i) list.push_back(below(std::to_string(i), (*json_)[i]));
  return list;
}

std::vector<std::pair<std::string, CheckedJson>> CheckedJson::members() const {
  std::vector<std::pair<std::string, CheckedJson>> list;
  for (const auto& [key, value] : object().items()) list.emplace_back(key, below(key, value));
  return list;
}

std::string CheckedJson::text() const {
  if (!json_->is_string()) refuse("a string");
  return json_->get<std::string>();
}

std::string CheckedJson::text_or_null() const { return is_null() ? "" : text(); }

bool CheckedJson::boolean() const {
  if (!json_->is_boolean()) refuse("true or false");
  return json_->get<bool>();
}

std::int64_t CheckedJson::integer(std::int64_t least) const {
  const bool huge = json_->is_number_unsigned() && json_->get<std::uint64_t>() > INT64_MAX;
  if (!json_->is_number_integer() || huge || json_->get<std::int64_t>() < least) {
    refuse(least == std::numeric_limits<std::int64_t>::min() ? "an integer"
                                                             : "an integer of at least " + std::to_string(least));
  }
  return json_->get<std::int64_t>();
}

double CheckedJson::number(double least, double most) const {
  const double value = json_->is_number() ? json_->get<double>() : std::nan("");
  if (value >= least && value <= most) return value;
  const bool any_least = least == std::numeric_limits<double>::lowest();
  const bool any_most = most == std::numeric_limits<double>::max();
  refuse("a number" + (any_least  ? ""
                       : any_most ? " of at least " + number_text(least)
                                  : " from " + number_text(least) + " to " + number_text(most)));
}

std::vector<std::int64_t> CheckedJson::integers() const {
  if (!json_->is_array() || !std::ranges::all_of(*json_, &Json::is_number_integer)) refuse("a list of integers");
  return json_->get<std::vector<std::int64_t>>();
}

const Json& CheckedJson::object() const {
  if (!json_->is_object()) refuse("an object");
  return *json_;
}

std::string CheckedJson::path_below() const {
  const std::filesystem::path path = text();
  if (path.empty() || path.is_absolute() || std::ranges::find(path, "..") != path.end()) {
    refuse("a path relative to its folder, without \"..\"");
  }
  return path.string();
}

std::size_t CheckedJson::one_of(const std::vector<std::string>& words) const {
  const auto found = json_->is_string() ? std::ranges::find(words, json_->get<std::string>()) : words.end();
  if (found == words.end()) refuse(boost::join(words, " | "));
  return static_cast<std::size_t>(found - words.begin());
}

}  // namespace roclip::bench
