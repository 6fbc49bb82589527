#include "harness/data/transfer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>

#include <xxhash.h>
#include <boost/algorithm/string.hpp>
#include <boost/algorithm/string/trim_all.hpp>
#include <boost/locale/encoding_utf.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "harness/data/cache.h"
#include "harness/data/captions.h"
#include "harness/data/image.h"
#include "harness/data/labelled.h"
#include "harness/data/resample.h"
#include "harness/record/escape.h"
#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// Raised when this code makes other images, captions or classes of the same packages.
constexpr const char* kRevision = "1";
constexpr std::int64_t kImagePx = 64;

struct PackageSet {
  const char *name, *summary, *package, *folder, *licence;
  bool pairs;
  Collection (*read)(const fs::path& folder);
};

constexpr std::array kSets = {
    PackageSet{"openclipart", "drawings by many artists, with titles and keywords", "openclipart-svg",
               "usr/share/openclipart/svg", "public domain", true, &read_openclipart},
    PackageSet{"tuxpaint", "photographs and drawings for children, with a sentence each", "tuxpaint-stamps-default",
               "usr/share/tuxpaint/stamps", "GPL-2", true, &read_tuxpaint},
    PackageSet{"fashion-mnist", "grey pictures of clothes, to evaluate on", "dataset-fashion-mnist",
               "usr/share/datasets/fashion-mnist", "MIT", false, &read_fashion_mnist},
    PackageSet{"iso-flags", "flags of countries by region, to evaluate on", "iso-flags-svg",
               "usr/share/iso-flags-svg/country-4x3", "public domain", false, &read_iso_flags},
};

const PackageSet* find_set(const std::string& name) {
  const auto* found = std::ranges::find_if(kSets, [&](const PackageSet& set) { return name == set.name; });
  return found == kSets.end() ? nullptr : found;
}

fs::path folder_of(const PackageSet& set) {
  const auto root = folder_variable("ROCLIP_BENCH_PACKAGES");
  return (root.empty() ? fs::path("/") : root) / set.folder;
}

/// Everything below a folder, in the order of names.
std::vector<fs::path> all_below(const fs::path& folder) {
  std::vector<fs::path> paths;
  try {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) paths.push_back(entry.path());
  } catch (const fs::filesystem_error& e) {
    throw Error(ErrorKind::kData, e.path1().string() + ": cannot be read: " + e.code().message());
  }
  std::ranges::sort(paths);
  return paths;
}

Collection new_collection(const char* name) {
  const PackageSet& set = *find_set(name);
  Collection data;
  data.name = name;
  data.image_px = kImagePx;
  data.only_labelled = !set.pairs;
  data.drawing = std::string("drawing ") + name;
  data.draw = [](const Item& item) { return draw_item(item, kImagePx); };
  data.sources = {{{"package", set.package}, {"license", set.licence}}};
  return data;
}

struct Found {
  Item item;
  std::string word;  ///< of its class; empty: none
};

/// Folders, and the class word of what is in them and below.
using FolderClasses = std::map<std::string, std::string>;

bool is_below(const std::string& name, const std::string& folder) { return name.starts_with(folder + "/"); }

/// That of the innermost folder that has a class. @param name path of a file
std::string class_of(const std::string& name, const FolderClasses& classes) {
  for (fs::path folder = fs::path(name).parent_path(); !folder.empty(); folder = folder.parent_path()) {
    if (const auto found = classes.find(folder.string()); found != classes.end()) return found->second;
  }
  return "";
}

/// Numbers the classes in the order of their words, and puts every `one_in`-th image of a class into the held-out set
/// and the others into the training or the probe set.
void arrange(Collection& data, std::vector<Found> found, const std::vector<std::string>& prompts, int one_in) {
  std::ranges::sort(found, {}, [](const Found& each) { return each.item.name; });
  std::set<std::string> contents;
  std::erase_if(found, [&](const Found& each) {
    if (contents.insert(hash_hex(stored_bytes(each.item))).second) return false;
    data.skipped[{"", "the content of another file"}].push_back(each.item.name);
    return true;
  });
  std::map<std::string, std::vector<Item>> by_word;
  std::vector<Item> others;
  for (auto& [item, word] : found) (word.empty() ? others : by_word[word]).push_back(std::move(item));
  std::vector<Item>& fitted = data.only_labelled ? data.probe : data.train;
  for (auto& [word, items] : by_word) {
    const auto label = static_cast<std::int64_t>(data.classes.size());
    data.classes.push_back(make_class(word, prompts));
    std::ranges::sort(items, {}, [](const Item& item) { return XXH3_64bits(item.name.data(), item.name.size()); });
    for (std::size_t i = 0; i < items.size(); ++i) {
      items[i].label = label;
      (i % static_cast<std::size_t>(one_in) == 0 ? data.held_out : fitted).push_back(std::move(items[i]));
    }
  }
  if (!data.only_labelled) std::ranges::move(others, std::back_inserter(data.train));
}

/// What is not white, in the middle of a white square. Many drawings take a small part of their page.
/// @throws Error(kData) if all is white, or of one other colour
cv::Mat fill_square(const cv::Mat& image) {
  constexpr int kMarginShare = 32;  // of the longer side
  const cv::Scalar first = image.at<cv::Vec3b>(0, 0);
  cv::Mat same, white, ink;
  cv::inRange(image, first, first, same);
  if (cv::countNonZero(same) == static_cast<int>(same.total())) throw Error(ErrorKind::kData, "one colour only");
  cv::inRange(image, cv::Scalar::all(248), cv::Scalar::all(255), white);
  cv::bitwise_not(white, ink);
  std::vector<cv::Point> points;
  cv::findNonZero(ink, points);
  if (points.empty()) throw Error(ErrorKind::kData, "hardly anything on white");
  const cv::Rect box = cv::boundingRect(points);
  const int longer = std::max(box.width, box.height), side = longer + 2 * (longer / kMarginShare);
  const int down = side - box.height, across = side - box.width;
  cv::Mat square;
  cv::copyMakeBorder(image(box).clone(), square, down / 2, down - down / 2, across / 2, across - across / 2,
                     cv::BORDER_CONSTANT, cv::Scalar::all(255));
  return centre_square(square, kImagePx);
}

/// An SVG file, drawn large before it is cut out.
cv::Mat draw_cut_out(const Item& item) { return fill_square(draw_item(item, 8 * kImagePx)); }

// --- openclipart

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

// --- tuxpaint

const FolderClasses kStampClasses = {{"animals/birds", "bird"},
                                     {"animals/insects", "insect"},
                                     {"animals/mammals", "mammal"},
                                     {"clothes", "piece of clothing"},
                                     {"clothes/hats", "hat"},
                                     {"food/fruit", "fruit"},
                                     {"food/vegetables", "vegetable"},
                                     {"household/dishes", "piece of tableware"},
                                     {"household/tools", "tool"},
                                     {"people/body_parts", "body part"},
                                     {"plants/flowers", "flower"},
                                     {"seasonal/christmas", "Christmas decoration"},
                                     {"seasonal/halloween", "Halloween decoration"},
                                     {"space", "thing in space"},
                                     {"symbols/alphabets", "letter"},
                                     {"symbols/alphabets/asl", "hand sign"},
                                     {"symbols/math", "number"},
                                     {"symbols/money", "coin or banknote"},
                                     {"town/houses", "house"},
                                     {"town/roadsigns", "road sign"},
                                     {"vehicles", "vehicle"}};

cv::Mat draw_stamp(const Item& item) {
  return item.source.ends_with(".svg") ? draw_cut_out(item) : fill_square(decode_on_white(stored_bytes(item)));
}

// --- iso-flags

/// Regions of the UN's M49, America in two, Taiwan and Cyprus by where they are. Territories that fly the flag of
/// another country are in none.
const std::map<std::string, std::string> kRegions = {
    {"Africa",
     "ao bf bi bj bw cd cf cg ci cm cv dj dz eg eh er et ga gh gm gn gq gw ke km lr ls ly ma mg ml mr mu "
     "mw mz na ne ng rw sc sd sl sn so ss st sz td tg tn tz ug za zm zw"},
    {"Asia",
     "ae af am az bd bh bn bt cn cy ge hk id il in iq ir jo jp kg kh kp kr kw kz la lb lk mm mn mo mv my "
     "np om ph pk ps qa sa sg sy th tj tl tm tr tw uz vn ye"},
    {"Europe",
     "ad al at ax ba be bg by ch cz de dk ee es fi fo fr gb gg gi gr hr hu ie im is it je li lt lu lv mc "
     "md me mk mt nl no pl pt ro rs ru se si sk sm ua va"},
    {"North America",
     "ag ai aw bb bm bs bz ca cr cu cw dm do gd gl gt hn ht jm kn ky lc ms mx ni pa pr sv sx tc tt us vc "
     "vg vi"},
    {"Oceania", "as au ck fj fm gu ki mh mp nf nr nu nz pf pg pn pw sb tk to tv vu ws"},
    {"South America", "ar bo br cl co ec fk gy pe py sr uy ve"}};

}  // namespace

Collection read_openclipart(const fs::path& folder) {
  constexpr int kSharedTitle = 10;
  auto data = new_collection("openclipart");
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

Collection read_tuxpaint(const fs::path& folder) {
  auto data = new_collection("tuxpaint");
  data.draw = &draw_stamp;
  std::vector<Found> all;
  for (const auto& path : all_below(folder)) {
    const bool png = path.extension() == ".png";
    if ((!png && path.extension() != ".svg") || (png && fs::exists(fs::path(path).replace_extension(".svg")))) continue;
    const auto name = path.lexically_relative(folder).generic_string();
    const auto text = fs::path(path).replace_extension(".txt");
    auto caption = fs::exists(text) ? read_file(text) : "";
    caption.erase(std::min(caption.find('\n'), caption.size()));
    boost::trim(caption);
    if (caption.empty() || !is_utf8(caption)) {
      data.skipped[{"", "no caption"}].push_back(name);
      continue;
    }
    all.push_back({{.name = name, .source = path.string(), .caption = caption}, class_of(name, kStampClasses)});
  }
  arrange(data, std::move(all), {"a photo of a {}", "a picture of a {}", "{}"}, 5);
  return data;
}

Collection read_fashion_mnist(const fs::path& folder) {
  constexpr std::size_t kProbePerClass = 1000;
  constexpr const char* kWords[] = {"T-shirt", "trouser", "pullover", "dress", "coat",
                                    "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot"};
  auto data = new_collection("fashion-mnist");
  for (const char* word : kWords)
    data.classes.push_back(make_class(word, {"a photo of a {}", "a picture of a {}", "{}"}));
  const auto read = [&](const char* name) {
    auto images = read_labelled((folder / name).string(), {}, "labelled", data).images;
    std::vector<Item> items;
    for (auto& [item, label] : images) {
      item.label = std::stoll(label);
      if (item.label >= std::ssize(data.classes)) {
        throw Error(ErrorKind::kData, (folder / name).string() + ": has the label " + label + ", expected 0 to 9");
      }
      items.push_back(std::move(item));
    }
    return items;
  };
  data.held_out = read("t10k-images-idx3-ubyte.gz");
  data.probe = read("train-images-idx3-ubyte.gz");
  std::ranges::sort(data.probe, {}, [](const Item& item) { return XXH3_64bits(item.name.data(), item.name.size()); });
  std::map<std::int64_t, std::size_t> taken;
  std::erase_if(data.probe, [&](const Item& item) { return ++taken[item.label] > kProbePerClass; });
  data.rows.clear();
  return data;
}

Collection read_iso_flags(const fs::path& folder) {
  auto data = new_collection("iso-flags");
  std::map<std::string, std::string> region_of;
  for (const auto& [region, codes] : kRegions) {
    std::vector<std::string> list;
    for (const auto& code : boost::split(list, codes, boost::is_space())) region_of[code] = region;
  }
  std::vector<Found> all;
  for (const auto& path : all_below(folder)) {
    if (path.extension() != ".svg") continue;
    const auto name = path.filename().string();
    const auto region = region_of.find(path.stem().string());
    if (region == region_of.end()) {
      data.skipped[{"", "not a country of a region with a flag of its own"}].push_back(name);
    } else {
      all.push_back({{.name = name, .source = path.string(), .caption = ""}, region->second});
    }
  }
  arrange(data, std::move(all), {"the flag of a country in {}", "a flag from {}", "{}"}, 2);
  return data;
}

std::vector<std::string> package_sets() {
  std::vector<std::string> names;
  for (const auto& set : kSets) names.emplace_back(set.name);
  return names;
}

bool is_package_set(const std::string& name) { return find_set(name) != nullptr; }

bool has_pairs(const std::string& name) { return find_set(name)->pairs; }

std::string summary_of(const std::string& name) {
  const PackageSet& set = *find_set(name);
  return std::string(set.summary) + " (Debian package " + set.package + ")";
}

void expect_packages(const std::vector<std::string>& names) {
  std::vector<std::string> sets, packages;
  for (const PackageSet& set : kSets) {
    const auto folder = folder_of(set);
    if (std::ranges::find(names, set.name) == names.end() || fs::is_directory(folder)) continue;
    sets.push_back(set.name + (" (" + folder.string() + ")"));
    packages.emplace_back(set.package);
  }
  if (sets.empty()) return;
  throw Error(ErrorKind::kData,
              "not installed: " + boost::join(sets, ", ") + ": apt-get install " + boost::join(packages, " "));
}

fs::path package_file(const std::string& name) {
  expect_packages({name});
  const auto folder = folder_of(*find_set(name));
  const bool few_files = name == "fashion-mnist";
  std::string key = kRevision;
  const auto add = [&](const fs::path& path) {
    std::error_code error;
    const auto time = fs::last_write_time(path, error);
    if (error) return;  // a link to nothing
    key += '\n' + path.string() + ' ' + std::to_string(time.time_since_epoch().count());
    if (fs::is_regular_file(path)) key += ' ' + std::to_string(fs::file_size(path));
  };
  add(folder);
  for (const auto& path : all_below(folder)) {
    if (few_files || fs::is_directory(path)) add(path);
  }
  return cache_file(name, key);
}

Collection read_package_set(const std::string& name) {
  expect_packages({name});
  const PackageSet& set = *find_set(name);
  return set.read(folder_of(set));
}

}  // namespace roclip::bench
