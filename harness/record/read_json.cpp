#include <algorithm>
#include <optional>
#include <sstream>
#include <vector>

#include "harness/record/files.h"

namespace roclip::bench {

namespace {

/// Builds a value from what nlohmann's parser finds, and refuses what that parser lets pass.
class StrictReader : public Json::json_sax_t {
 public:
  explicit StrictReader(std::streambuf& text) : text_(text) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(Json::number_integer_t value) override { return put(value); }
  bool number_unsigned(Json::number_unsigned_t value) override { return put(value); }
  bool number_float(double value, const std::string& written) override {
    const bool is_integer = written.find_first_of(".eE") == std::string::npos;
    const auto digits = written.substr(0, written.find_first_of("eE"));
    const bool underflows = value == 0 && digits.find_first_of("123456789") != std::string::npos;
    return is_integer || underflows ? refuse(out_of_range(written)) : put(value);
  }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(Json::binary_t& value) override { return put(std::move(value)); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    auto& members = open_.back()->get_ref<Json::object_t&>();
    const auto [member, is_new] = members.try_emplace(name);
    member_ = &member->second;
    return is_new ||
           refuse("the key " + shown(name) + " stands twice in one object; expected it once, so delete one of them");
  }
  bool parse_error(std::size_t, const std::string& token, const Json::exception& error) override {
    constexpr int kNumberOverflow = 406;
    const std::string told = error.what();
    if (error.id == kNumberOverflow) return refuse(out_of_range(token));
    if (told.find("UTF-8") != told.npos) return refuse("is not JSON: a string is not UTF-8; save the file as UTF-8");
    const bool has_comma = told.find("unexpected ']'") != told.npos || told.find("unexpected '}'") != told.npos;
    const auto what = told.find("syntax error");
    return refuse("is not JSON: " + (what == told.npos ? told : told.substr(what)) +
                  (has_comma ? "; is there a comma before it?" : ""));
  }

  Json take() { return std::move(root_); }
  const std::string& refusal() const { return refusal_; }
  std::size_t position() const { return position_; }

 private:
  static std::string shown(const std::string& text) { return Json(text).dump(-1, ' ', /*ensure_ascii=*/true); }
  static std::string out_of_range(const std::string& number) {
    return "the number " + number + " is out of range; expected an integer of 64 bits or a finite double";
  }
  bool refuse(const std::string& why) {
    position_ = static_cast<std::size_t>(text_.pubseekoff(0, std::ios::cur, std::ios::in));
    refusal_ = why;
    return false;
  }
  Json& place() {
    if (open_.empty()) return root_;
    return open_.back()->is_array() ? open_.back()->emplace_back() : *member_;
  }
  bool put(Json value) {
    place() = std::move(value);
    return true;
  }
  bool open(Json container) {
    Json& here = place() = std::move(container);
    open_.push_back(&here);
    return open_.size() <= kDeepestJson ||
           refuse("is nested deeper than " + std::to_string(kDeepestJson) + " levels; expected at most as many");
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::streambuf& text_;
  Json root_;
  std::vector<Json*> open_;  ///< arrays and objects around the next value, outermost first
  Json* member_ = nullptr;   ///< place of the next value, if in an object
  std::string refusal_;
  std::size_t position_ = 0;
};

}  // namespace

Json parse_json(const std::string& text, const std::string& name, ErrorKind kind) {
  std::istringstream stream(text);
  StrictReader reader(*stream.rdbuf());
  // The parser takes a NUL byte for the end of the text.
  const auto nul = text.find('\0');
  if (nul == text.npos &&
      Json::sax_parse(stream, &reader, Json::input_format_t::json, /*strict=*/true, /*ignore_comments=*/true)) {
    return reader.take();
  }
  const auto end = std::min(nul == text.npos ? reader.position() : nul + 1, text.size());
  const auto line_start = end == 0 ? text.npos : text.rfind('\n', end - 1);
  throw Error(kind,
              name + ": line " +
                  std::to_string(1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n')) +
                  ", column " + std::to_string(line_start == text.npos ? end : end - line_start - 1) + ": " +
                  (nul == text.npos ? reader.refusal() : "is not JSON: holds a NUL byte"));
}

Json read_json(const std::filesystem::path& file, ErrorKind kind) {
  return parse_json(read_file(file), file.string(), kind);
}

}  // namespace roclip::bench
