#include "harness/record/escape.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include <boost/locale/utf.hpp>  // headers only

#include <nlohmann/json.hpp>

#include "harness/record/text.h"

namespace roclip::bench {

namespace utf = boost::locale::utf;

namespace {

/// Whether a terminal or a reader would take it for anything but a sign.
bool acts(std::uint32_t code) {
  const auto within = [&](std::uint32_t low, std::uint32_t high) { return code >= low && code <= high; };
  return code < 0x20 || within(0x7f, 0x9f) || within(0x2028, 0x202e) || within(0x2066, 0x2069);
}

std::string escaped(std::string_view text, bool keep_lines) {
  std::string result;
  for (const auto* next = text.begin(); next != text.end();) {
    const auto* const first = next;
    std::uint32_t code = utf::utf_traits<char>::decode(next, text.end());
    const bool is_utf8 = utf::is_valid_codepoint(code);
    if (!is_utf8) {  // one byte is shown, and the next one may begin a character
      code = static_cast<unsigned char>(*first);
      next = first + 1;
    }
    if (code == '\n' || code == '\t') {
      result += keep_lines ? static_cast<char>(code) : ' ';
    } else if (!is_utf8 || acts(code)) {
      result += format(code < 0x100 ? "\\x%02x" : "\\u%04x", code);
    } else {
      result.append(first, next);
    }
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

std::string as_utf8(const std::string& text) {
  if (is_utf8(text)) return text;
  return nlohmann::json::parse(nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

bool is_utf8(std::string_view text) {
  for (const auto* next = text.begin(); next != text.end();) {
    if (!utf::is_valid_codepoint(utf::utf_traits<char>::decode(next, text.end()))) return false;
  }
  return true;
}

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
                                      {'<', "\\textless{}"},  // as they stand, the default fonts print other signs
                                      {'>', "\\textgreater{}"},
                                      {'|', "\\textbar{}"},
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

std::string shell_word(const std::string& text) {
  const auto is_plain = [](unsigned char c) { return std::isalnum(c) != 0 || std::strchr("/._-+,:@%=", c) != nullptr; };
  if (!text.empty() && std::ranges::all_of(text, is_plain)) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

std::string shell_command(const std::vector<std::string>& words) {
  std::string command;
  for (const auto& word : words) command += (command.empty() ? "" : " ") + shell_word(word);
  return command;
}

}  // namespace roclip::bench
