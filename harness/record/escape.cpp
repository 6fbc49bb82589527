#include "harness/record/escape.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

namespace roclip::bench {

namespace {

struct Character {
  std::uint32_t code;
  std::size_t bytes;  ///< 0 = not UTF-8
};

/// The first character. @pre not empty
Character first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {lead, 0};
  std::uint32_t code = lead & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {lead, 0};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  const bool none = overlong || code > 0x10ffff || (code >= 0xd800 && code < 0xe000);
  return none ? Character{lead, 0} : Character{code, bytes};
}

/// Whether a terminal or a reader would take it for anything but a sign.
bool acts(const Character& c) {
  const auto within = [&](std::uint32_t low, std::uint32_t high) { return c.code >= low && c.code <= high; };
  return c.bytes == 0 || c.code < 0x20 || within(0x7f, 0x9f) || within(0x2028, 0x202e) || within(0x2066, 0x2069);
}

std::string escaped(std::string_view text, bool keep_lines) {
  std::string result;
  while (!text.empty()) {
    const auto c = first_of(text);
    const auto bytes = std::max<std::size_t>(c.bytes, 1);
    if (c.code == '\n' || c.code == '\t') {
      result += keep_lines ? static_cast<char>(c.code) : ' ';
    } else if (acts(c)) {
      char shown[16];
      std::snprintf(shown, sizeof shown, c.code < 0x100 ? "\\x%02x" : "\\u%04x", static_cast<unsigned>(c.code));
      result += shown;
    } else {
      result += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  return result;
}

std::string replaced(const std::string& text, const std::vector<std::pair<char, std::string>>& replacements) {
  std::string result;
  for (const char c : text) {
    const auto found = std::ranges::find(replacements, c, &std::pair<char, std::string>::first);
    result += found == replacements.end() ? std::string(1, c) : found->second;
  }
  return result;
}

}  // namespace

std::string escape_text(std::string_view text) { return escaped(text, false); }

std::string escape_lines(std::string_view text) { return escaped(text, true); }

std::string escape_markdown(std::string_view text) {
  std::string result = replaced(
      escape_text(text), {{'\\', "\\\\"}, {'|', "\\|"}, {'*', "\\*"}, {'_', "\\_"}, {'<', "&lt;"}, {'`', "\\`"}});
  for (auto link = result.find("]("); link != result.npos; link = result.find("](", link + 2))
    result.insert(link, "\\");
  return result;
}

std::string escape_latex(std::string_view text) {
  return replaced(escape_text(text), {{'\\', "\\textbackslash{}"},
                                      {'&', "\\&"},
                                      {'%', "\\%"},
                                      {'$', "\\$"},
                                      {'#', "\\#"},
                                      {'_', "\\_"},
                                      {'{', "\\{"},
                                      {'}', "\\}"},
                                      {'~', "\\textasciitilde{}"},
                                      {'^', "\\textasciicircum{}"}});
}

std::string escape_xml(std::string_view text) {
  return replaced(escape_lines(text), {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}});
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  return "\"" + replaced(std::string(text), {{'"', "\"\""}}) + "\"";
}

std::string spreadsheet_field(std::string_view text) {
  const bool formula = !text.empty() && std::string_view("=+-@\t\r\n").find(text.front()) != std::string_view::npos;
  return csv_field((formula ? "'" : "") + escape_text(text));
}

}  // namespace roclip::bench
