/// Reads the drawings of openclipart with their titles and keywords.
#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include <boost/algorithm/string.hpp>
#include <boost/algorithm/string/trim_all.hpp>
#include <boost/locale/encoding_utf.hpp>

#include "harness/data/package_pictures.h"
#include "harness/data/transfer.h"
#include "harness/record/escape.h"
#include "harness/record/files.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

bool is_below(const std::string& name, const std::string& folder) { return name.starts_with(folder + "/"); }

/// Symbols, patterns, parts of user interfaces, and three of the four decks of cards.
const std::vector<std::string> kNoPictures = {"buttons",
                                              "computer",
                                              "decorations",
                                              "logos",
                                              "recreation/games/cards/bordered",
                                              "shapes",
                                              "special",
                                              "unsorted",
                                              "signs_and_symbols",
                                              "recreation/games/cards/simple",
                                              "recreation/games/cards/white",
                                              "transportation/aiga-symbols"};

const FolderClasses kClipartClasses = {{"animals/birds", "bird"},
                                       {"animals/bugs", "insect"},
                                       {"animals/dinosaurs", "dinosaur"},
                                       {"animals/fish", "fish"},
                                       {"animals/mammals", "mammal"},
                                       {"buildings", "building"},
                                       {"buildings/furniture", ""},
                                       {"education/books", "book"},
                                       {"electronics", "electronic device"},
                                       {"food/beverages", "drink"},
                                       {"food/breads_and_carbs", "bread"},
                                       {"food/desserts", "dessert"},
                                       {"food/fruit", "fruit"},
                                       {"food/meats_and_eggs", "meat"},
                                       {"geography", "map"},
                                       {"geography/astronomy", "planet"},
                                       {"office", "office supply"},
                                       {"people/bodypart", "body part"},
                                       {"people/clothing", "piece of clothing"},
                                       {"people/smilies", "smiley"},
                                       {"people/stickmen", "stick figure"},
                                       {"plants/flowers", "flower"},
                                       {"recreation/games/cards/cardbacks", "playing card"},
                                       {"recreation/games/cards/ornamental", "playing card"},
                                       {"recreation/music", "musical instrument"},
                                       {"recreation/sports", "sport"},
                                       {"recreation/toys", "toy"},
                                       {"science/astronomy", "planet"},
                                       {"tools", "tool"},
                                       {"tools/weapons", "weapon"},
                                       {"transportation/boating", "boat"},
                                       {"transportation/roadsigns", "road sign"},
                                       {"transportation/vehicles", "vehicle"}};

/// &amp; &lt; &gt; &quot; &apos; &#39; &#x27; as what they mean; white space as one blank.
std::string plain_text(std::string_view xml) {
  static const std::map<std::string, char32_t, std::less<>> kNamed = {
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
  std::string text;
  for (std::size_t i = 0; i < xml.size(); ++i) {
    const auto end = xml[i] == '&' ? xml.find(';', i) : std::string_view::npos;
    if (end == std::string_view::npos || end - i > 9) {
      text += xml[i];
      continue;
    }
    const std::string entity(xml.substr(i + 1, end - i - 1));
    char32_t letter = ' ';
    if (const auto named = kNamed.find(entity); named != kNamed.end()) {
      letter = named->second;
    } else if (entity.starts_with("#")) {
      const bool hex = entity.starts_with("#x");
      letter = static_cast<char32_t>(std::strtoul(entity.c_str() + (hex ? 2 : 1), nullptr, hex ? 16 : 10));
    }
    text += boost::locale::conv::utf_to_utf<char>(std::u32string(1, letter));
    i = end;
  }
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < ' '; }, ' ');
  boost::trim_all(text);
  return text;
}

/// What stands between <name ...> and </name>, from `at` on, which becomes the place behind it.
std::optional<std::string_view> next_element(std::string_view xml, const std::string& name, std::size_t& at) {
  const auto front = xml.find("<" + name, at);
  if (front == std::string_view::npos) return std::nullopt;
  const auto begin = xml.find('>', front);
  if (begin == std::string_view::npos) return std::nullopt;
  at = begin + 1;
  if (xml[begin - 1] == '/') return "";
  const auto end = xml.find("</" + name, at);
  if (end == std::string_view::npos) return std::nullopt;
  const auto content = xml.substr(at, end - at);
  at = end;
  return content;
}

/// Whether a place is inside the description of a person, who has a title too.
bool in_agent(std::string_view xml, std::size_t at) {
  for (const char* tag : {"cc:Agent", "Agent"}) {
    const auto opened = xml.rfind(std::string("<") + tag, at), closed = xml.rfind(std::string("</") + tag, at);
    if (opened != std::string_view::npos && (closed == std::string_view::npos || closed < opened)) return true;
  }
  return false;
}

struct Words {
  std::string title;
  std::vector<std::string> keywords;
};

/// Title and keywords of the RDF in an SVG document; what is not UTF-8 is not taken.
Words words_of(std::string_view svg) {
  Words words;
  std::size_t at = svg.find("<rdf:RDF");
  if (at == std::string_view::npos) return words;
  const auto rdf = svg.substr(at, svg.find("</rdf:RDF", at) - at);
  at = 0;
  while (const auto title = next_element(rdf, "dc:title", at)) {
    if (in_agent(rdf, at)) continue;
    words.title = plain_text(plain_text(*title));  // some were encoded twice
    break;
  }
  boost::replace_first(words.title, "Clipart by Nicu Buculei - ", "");
  if (!is_utf8(words.title)) words.title.clear();
  at = 0;
  const auto subject = next_element(rdf, "dc:subject", at);
  if (!subject) return words;
  at = 0;
  while (const auto keyword = next_element(*subject, "rdf:li", at)) {
    auto text = plain_text(*keyword);
    const bool says_something = !text.empty() && text.find_first_of("<>()") == std::string::npos && text != "hash" &&
                                text != "unsorted" && text != "clip_art" && text != "clipart" &&
                                text != "architetto francesco rollandin";
    if (says_something && is_utf8(text)) words.keywords.push_back(std::move(text));
  }
  return words;
}

/// "fruit/red_apple_01.svg" -> "red apple"
std::string file_words(const std::string& name) {
  auto text = fs::path(name).stem().string();
  std::ranges::replace_if(text, boost::is_any_of("_-."), ' ');
  auto end = text.find_last_not_of("0123456789 ");
  text.erase(end == std::string::npos ? text.size() : end + 1);
  boost::trim_all(text);
  return is_utf8(text) ? text : "";
}

/// The title, then the keywords that say something new.
std::string clipart_caption(const std::string& title, const std::vector<std::string>& keywords) {
  constexpr int kMost = 5;
  std::string caption = title;
  int used = 0;
  for (auto keyword : keywords) {
    std::ranges::replace(keyword, '_', ' ');
    if (used == kMost || boost::icontains(caption, keyword)) continue;
    caption += (caption.empty() ? "" : ", ") + keyword;
    ++used;
  }
  return caption;
}

}  // namespace

Collection read_openclipart(const fs::path& folder) {
  constexpr int kSharedTitle = 10;
  auto data = blank_collection("openclipart");
  data.draw = &draw_cut_out;
  std::map<fs::path, Found> by_file;  // a link names a drawing once more
  for (const auto& path : all_below(folder)) {
    const auto name = path.lexically_relative(folder).generic_string();
    if (path.extension() != ".svg" ||
        std::ranges::any_of(kNoPictures, [&](const auto& dropped) { return is_below(name, dropped); })) {
      continue;
    }
    std::error_code error;
    const auto file = fs::canonical(path, error);
    if (error) {
      data.skipped[{"", "a link that leads to no file"}].push_back(name);
      continue;
    }
    Found& found = by_file[file];
    if (found.item.name.empty()) found.item = {.name = name, .source = path.string(), .caption = ""};
    const auto word = class_of(name, kClipartClasses);
    if (found.word.empty() || (!word.empty() && !fs::is_symlink(path))) found.word = word;
  }
  std::map<fs::path, Words> words;
  std::map<std::string, int> titles;
  for (const auto& [file, found] : by_file) {
    const auto& own = words[file] = words_of(read_file(file));
    ++titles[boost::to_lower_copy(own.title)];
  }
  std::vector<Found> all;
  for (auto& [file, found] : by_file) {
    auto& [title, keywords] = words[file];
    if (titles[boost::to_lower_copy(title)] >= kSharedTitle || title.empty()) title = file_words(found.item.name);
    found.item.caption = clipart_caption(title, keywords);
    if (found.item.caption.empty()) {
      data.skipped[{"", "no caption"}].push_back(found.item.name);
    } else {
      all.push_back(std::move(found));
    }
  }
  arrange(data, std::move(all), {"clip art of a {}", "a drawing of a {}", "{}"}, 5);
  return data;
}

}  // namespace roclip::bench
