#include "harness/model/caption_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>

#include <utf8proc.h>

#include "harness/record/files.h"
#include "harness/record/paths.h"

namespace roclip::bench {

namespace {

using Text = std::u32string;
using View = std::u32string_view;

// ---- UTF-8 and classes of characters

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }
bool is_within(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }
bool is_ascii_letter(char32_t c) { return is_within(c | 0x20, 'a', 'z'); }
bool is_one_of(char32_t c, View characters) { return characters.find(c) != View::npos; }
bool is_letter(char32_t c) { return is_within(category(c), UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO); }
bool is_number(char32_t c) { return is_within(category(c), UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO); }

/// As str.isspace().
bool is_space(char32_t c) {
  const auto bidi = utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->bidi_class;
  return category(c) == UTF8PROC_CATEGORY_ZS || bidi == UTF8PROC_BIDI_CLASS_WS || bidi == UTF8PROC_BIDI_CLASS_B ||
         bidi == UTF8PROC_BIDI_CLASS_S;
}

const utf8proc_uint8_t* utf8proc_bytes(std::string_view utf8) {
  return reinterpret_cast<const utf8proc_uint8_t*>(utf8.data());
}

/// How many bytes one U+FFFD stands for: as many as begin a character, at least one.
std::size_t broken_bytes(std::string_view utf8) {
  for (std::size_t count = std::min<std::size_t>(utf8.size(), 3); count > 1; --count) {
    std::string whole(utf8.substr(0, count));
    whole.resize(4, '\x80');  // the lowest end that a character can have
    utf8proc_int32_t ignored = 0;
    if (utf8proc_iterate(utf8proc_bytes(whole), 4, &ignored) > static_cast<utf8proc_ssize_t>(count)) return count;
  }
  return 1;
}

Text decoded(std::string_view utf8) {
  Text text;
  while (!utf8.empty()) {
    utf8proc_int32_t c = 0;
    const auto bytes = utf8proc_iterate(utf8proc_bytes(utf8), static_cast<utf8proc_ssize_t>(utf8.size()), &c);
    text += bytes > 0 ? static_cast<char32_t>(c) : U'\ufffd';
    utf8.remove_prefix(bytes > 0 ? static_cast<std::size_t>(bytes) : broken_bytes(utf8));
  }
  return text;
}

std::string encoded(View text) {
  std::string utf8;
  for (const char32_t c : text) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const auto count = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes.data());
    utf8.append(bytes.begin(), bytes.begin() + count);
  }
  return utf8;
}

Text normalized(View text, int options) {
  const auto utf8 = encoded(text);
  utf8proc_uint8_t* made = nullptr;
  const auto size = utf8proc_map(utf8proc_bytes(utf8), static_cast<utf8proc_ssize_t>(utf8.size()), &made,
                                 static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | options));
  if (size < 0) throw Error(ErrorKind::kInternal, std::string("utf8proc_map: ") + utf8proc_errmsg(size));
  auto out = decoded({reinterpret_cast<const char*>(made), static_cast<std::size_t>(size)});
  std::free(made);
  return out;
}

// ---- HTML entities and terminal escapes

/// Names without "&", with ";" where HTML asks for it. Made by
///   python3 -c 'import html, json; from html.entities import html5 as known
///   upper = {name.upper(): text.upper() for name, text in known.items() if name[-1] == ";" and name == name.lower()}
///   upper = {name: text for name, text in upper.items() if html.unescape("&" + name) == "&" + name}
///   print(json.dumps({"html5": known, "upper": upper}, indent=0, sort_keys=True))' > html_entities.json
struct Entities {
  std::map<Text, Text, std::less<>> html5, upper;  ///< upper: names in capitals that ftfy adds
};

const Entities& entities() {
  static const Entities all = [] {
    const auto json = read_json(share_dir() / "html_entities.json");
    const auto table = [&](const char* key) {
      std::map<Text, Text, std::less<>> names;
      for (const auto& [name, text] : json.at(key).items()) names[decoded(name)] = decoded(text.get<std::string>());
      return names;
    };
    return Entities{table("html5"), table("upper")};
  }();
  return all;
}

/// What the front of a text stands for. Length 0: for itself.
struct Match {
  std::size_t length = 0;
  Text replacement;
};

/// Replaces what `match` finds in the text from each `first` on; what was put in is not searched again.
template <typename Function>
Text substitute(const Text& text, char32_t first, Function match) {
  Text out;
  std::size_t done = 0;
  for (auto at = text.find(first); at != text.npos; at = text.find(first, done)) {
    const Match found = match(View(text).substr(at));
    out.append(text, done, at - done) += found.length == 0 ? Text(1, first) : found.replacement;
    done = at + std::max<std::size_t>(found.length, 1);
  }
  return out.append(text, done);
}

/// How many characters from `start` on belong to a class.
template <typename Class>
std::size_t run(View text, std::size_t start, Class belongs) {
  const auto end = std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(start), text.end(), belongs);
  return static_cast<std::size_t>(end - text.begin()) - start;
}

/// Controls of Latin-1 as the characters that Windows has there; five are left.
char32_t windows_1252(char32_t control) {
  constexpr View kCharacters =
      U"\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f"
      U"\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";
  return kCharacters[control - 0x80];
}

Text numbered(char32_t number) {
  if (is_within(number, 0x80, 0x9f)) return {windows_1252(number)};
  if (number == 0 || is_within(number, 0xd800, 0xdfff) || number > 0x10ffff) return U"\ufffd";
  const bool is_control = number < 0x20 && !is_one_of(number, U"\t\n\f\r");
  const bool is_no_character = is_within(number, 0xfdd0, 0xfdef) || (number & 0xfffe) == 0xfffe;
  if (is_control || is_no_character || number == 0x7f) return {};
  return {number};
}

/// A character reference of HTML 5, whose semicolon may be missing, at the front of a text that starts with "&".
Match reference(View text) {
  const auto with_semicolon = [&](std::size_t end) { return end + (end < text.size() && text[end] == ';' ? 1 : 0); };
  if (text.starts_with(U"&#")) {
    const std::size_t start = text.size() > 2 && is_one_of(text[2], U"xX") ? 3 : 2, base = start == 3 ? 16 : 10;
    const View known = View(U"0123456789abcdefABCDEF").substr(0, start == 3 ? 22 : 10);
    const auto count = run(text, start, [&](char32_t c) { return is_one_of(c, known); });
    std::size_t number = 0;
    for (const char32_t c : text.substr(start, count)) {
      const auto digit = known.find(c);
      number = std::min<std::size_t>(number * base + digit - (digit < 16 ? 0 : 6), 0x110000);
    }
    return count == 0 ? Match{} : Match{with_semicolon(start + count), numbered(static_cast<char32_t>(number))};
  }
  const auto letters =
      std::min<std::size_t>(run(text, 1, [](char32_t c) { return !is_one_of(c, U"\t\n\f <&#;"); }), 32);
  for (auto length = with_semicolon(1 + letters) - 1; length > 1; --length) {  // the longest name that there is
    const auto found = entities().html5.find(text.substr(1, length));
    if (found != entities().html5.end()) return {1 + length, found->second};
  }
  return {};
}

/// The same as ftfy has it: only with a semicolon, and some names in capitals too.
Match strict_reference(View text) {
  const std::size_t start = text.starts_with(U"&#") ? 2 : 1;
  const auto count = run(text, start, [](char32_t c) { return is_within(c, '0', '9') || is_ascii_letter(c); });
  const auto length = start + count + 1;
  if (count == 0 || count > 24 || length > text.size() || text[length - 1] != ';') return {};
  if (start == 2) {
    const auto found = reference(text);
    return found.length == length && found.replacement != U";" ? found : Match{};
  }
  for (const auto* names : {&entities().html5, &entities().upper}) {
    const auto found = names->find(text.substr(1, length - 1));
    if (found != names->end()) return {length, found->second};
  }
  return {};
}

/// The commands of terminals, at the front of a text that starts with the escape character.
Match terminal_escape(View text) {
  if (!text.starts_with(U"\x1b[")) return {};
  const auto end = 2 + run(text, 2, [](char32_t c) { return c == ';' || category(c) == UTF8PROC_CATEGORY_ND; });
  return end < text.size() && is_ascii_letter(text[end]) ? Match{end + 1, {}} : Match{};
}

// ---- the steps of ftfy

/// Characters one by one: controls of Latin-1, Latin ligatures, width, quotes. ftfy makes "\n" of line breaks, too; all
/// are white space in the end.
Text with_plain_characters(View text) {
  Text out;
  const auto add = [&](char32_t c) {
    if (c == 0x2bc || is_within(c, 0x2018, 0x201b)) c = '\'';
    if (is_within(c, 0x201c, 0x201f)) c = '"';
    out += c;
  };
  for (char32_t c : text) {
    if (is_within(c, 0x80, 0x9f)) c = windows_1252(c);
    const bool is_ligature = is_one_of(c, U"\u0132\u0133\u0149") || is_within(c, 0x1c4, 0x1cc) ||
                             is_within(c, 0x1f1, 0x1f3) || is_within(c, 0xfb00, 0xfb06);
    if (c == 0xfb05) {
      out += U"\u017ft";
    } else if (is_ligature || c == 0x3000 || is_within(c, 0xff01, 0xffef)) {
      for (const char32_t part : normalized({&c, 1}, UTF8PROC_COMPAT)) add(part);
    } else {
      add(c);
    }
  }
  return out;
}

bool is_removed(char32_t c) {
  return (c < 0x20 && !is_one_of(c, U"\t\n\f\r")) || c == 0x7f || is_within(c, 0x206a, 0x206f) || c == 0xfeff ||
         is_within(c, 0xfff9, 0xfffc);
}

Text fixed(Text text, bool has_entities) {
  for (Text before; text != before;) {
    before = text;
    if (has_entities) text = substitute(text, '&', strict_reference);
    text = substitute(with_plain_characters(text), 0x1b, terminal_escape);
    std::erase_if(text, is_removed);
    constexpr char32_t kFirstMark = 0x300;  // below it every text is in normal form
    if (std::ranges::any_of(text, [](char32_t c) { return c >= kFirstMark; })) text = normalized(text, 0);
  }
  return text;
}

// ---- lower case

/// Whether the capital sigma at a place ends a word: a letter with case before it, none behind, signs within a word do
/// not count.
bool is_final_sigma(View text, std::size_t place) {
  const auto is_ignored = [](char32_t c) {
    const auto kind = category(c);
    return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_ME || kind == UTF8PROC_CATEGORY_CF ||
           kind == UTF8PROC_CATEGORY_LM || kind == UTF8PROC_CATEGORY_SK ||
           is_one_of(c, U"'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a");
  };
  const auto has_case = [](char32_t c) {
    return is_within(category(c), UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LT) || c == 0xaa || c == 0xba ||
           is_within(c, 0x2160, 0x217f) || is_within(c, 0x24b6, 0x24e9) || is_within(c, 0x1f130, 0x1f149) ||
           is_within(c, 0x1f150, 0x1f169) || is_within(c, 0x1f170, 0x1f189);
  };
  const auto front = text.substr(0, place), back = text.substr(place + 1);
  const auto before = std::find_if_not(front.rbegin(), front.rend(), is_ignored);
  const auto behind = std::ranges::find_if_not(back, is_ignored);
  return before != front.rend() && has_case(*before) && (behind == back.end() || !has_case(*behind));
}

/// As str.lower().
Text lower(View text) {
  Text out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == 0x3a3 && is_final_sigma(text, i)) {
      out += U'\u03c2';
    } else if (text[i] == 0x130) {
      out += U"i\u0307";
    } else {
      out += static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(text[i])));
    }
  }
  return out;
}

/// Length of the word that the expression names at the front of a text; 0 if there is none. Case is ignored, and the
/// long s is the only letter of another case that lower() leaves.
std::size_t named_word(View text) {
  for (const View word : {U"<start_of_text>", U"<end_of_text>", U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"}) {
    const auto is_same = [](char32_t expected, char32_t c) { return expected == (c == 0x17f ? U's' : c); };
    if (std::ranges::equal(word, text.substr(0, word.size()), is_same)) return word.size();
  }
  return 0;
}

}  // namespace

std::string clean_caption(std::string_view utf8) {
  const auto text = decoded(utf8);
  // ftfy leaves entities alone from the first line on that looks like HTML.
  const auto bracket = text.find('<');
  const auto html = bracket == text.npos ? text.size() : text.rfind('\n', bracket) + 1;
  auto plain = fixed(text.substr(0, html), true) + fixed(text.substr(html), false);
  for (int i = 0; i < 2; ++i) plain = substitute(plain, '&', reference);
  Text spaced;
  for (std::size_t at = 0; at < plain.size();) {
    at += run(plain, at, is_space);
    const auto length = run(plain, at, [](char32_t c) { return !is_space(c); });
    if (length > 0 && !spaced.empty()) spaced += ' ';
    spaced.append(plain, at, length);
    at += length;
  }
  return encoded(lower(spaced));
}

std::vector<std::string> bpe_words(std::string_view cleaned) {
  constexpr char32_t kIota = 0x345;  // a mark whose capital is a letter: the expression, which ignores case, skips it
  const auto is_other = [](char32_t c) { return !is_letter(c) && !is_number(c) && !is_space(c) && c != kIota; };
  std::vector<std::string> words;
  const auto text = decoded(cleaned);
  for (std::size_t at = 0; at < text.size();) {
    auto length = named_word(View(text).substr(at));
    if (length == 0) length = run(text, at, is_letter);
    if (length == 0) length = run(text, at, is_other);
    if (length == 0 && is_number(text[at])) length = 1;
    if (length > 0) words.push_back(encoded(View(text).substr(at, length)));
    at += std::max<std::size_t>(length, 1);
  }
  return words;
}

}  // namespace roclip::bench
