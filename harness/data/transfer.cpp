#include "harness/data/transfer.h"

#include <algorithm>
#include <array>
#include <map>

#include <xxhash.h>
#include <boost/algorithm/string.hpp>

#include "harness/data/cache.h"
#include "harness/data/captions.h"
#include "harness/data/fonts.h"
#include "harness/data/image.h"
#include "harness/data/labelled.h"
#include "harness/data/package_pictures.h"
#include "harness/record/escape.h"
#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// Raised when this code makes other images, captions or classes of the same packages.
constexpr const char* kSetsRevision = "2";

struct PackageSet {
  const char *name, *summary, *package, *folder, *licence;
  bool pairs;
  bool drawn;  ///< some of its files are SVG, which may hold text
  Collection (*read)(const fs::path& folder);
};

constexpr std::array kSets = {
    PackageSet{"openclipart", "drawings by many artists, with titles and keywords", "openclipart-svg",
               "usr/share/openclipart/svg", "public domain", true, true, &read_openclipart},
    PackageSet{"tuxpaint", "photographs and drawings for children, with a sentence each", "tuxpaint-stamps-default",
               "usr/share/tuxpaint/stamps", "GPL-2", true, true, &read_tuxpaint},
    PackageSet{"fashion-mnist", "grey pictures of clothes, to evaluate on", "dataset-fashion-mnist",
               "usr/share/datasets/fashion-mnist", "MIT", false, false, &read_fashion_mnist},
    PackageSet{"iso-flags", "flags of countries by region, to evaluate on", "iso-flags-svg",
               "usr/share/iso-flags-svg/country-4x3", "public domain", false, true, &read_iso_flags},
};

const PackageSet* find_set(const std::string& name) {
  const auto* found = std::ranges::find_if(kSets, [&](const PackageSet& set) { return name == set.name; });
  return found == kSets.end() ? nullptr : found;
}

fs::path folder_of(const PackageSet& set) {
  const auto root = folder_variable("ROCLIP_BENCH_PACKAGES");
  return (root.empty() ? fs::path("/") : root) / set.folder;
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

Collection read_tuxpaint(const fs::path& folder) {
  auto data = blank_collection("tuxpaint");
  data.draw = &draw_stamp;
  std::vector<Found> all;
  for (const auto& path : all_below(folder)) {
    const bool png = path.extension() == ".png";
    if ((!png && path.extension() != ".svg") || (png && fs::exists(fs::path(path).replace_extension(".svg")))) continue;
    const auto name = path.lexically_relative(folder).generic_string();
    if (name.starts_with("cartoon/")) continue;  // of another package, tuxpaint-data, and without captions
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
  auto data = blank_collection("fashion-mnist", /*only_labelled=*/true);
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
  auto data = blank_collection("iso-flags", /*only_labelled=*/true);
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
  bool drawn = false;
  for (const PackageSet& set : kSets) {
    if (std::ranges::find(names, set.name) == names.end()) continue;
    drawn |= set.drawn;
    const auto folder = folder_of(set);
    if (fs::is_directory(folder)) continue;
    sets.push_back(set.name + (" (" + folder.string() + ")"));
    packages.emplace_back(set.package);
  }
  if (const auto fonts = missing_font_packages(); drawn && !fonts.empty()) {
    sets.emplace_back("the fonts of text in drawings");
    std::ranges::copy(fonts, std::back_inserter(packages));
  }
  if (sets.empty()) return;
  throw Error(ErrorKind::kData, "not installed: " + boost::join(sets, ", ") +
                                    ": apt-get install --no-install-recommends " + boost::join(packages, " "));
}

fs::path package_file(const std::string& name) {
  expect_packages({name});
  const auto folder = folder_of(*find_set(name));
  const bool few_files = name == "fashion-mnist";
  std::string key = kSetsRevision;
  key += stamp_of(folder);
  for (const auto& path : all_below(folder)) {
    if (few_files || fs::is_directory(path)) key += stamp_of(path);
  }
  return cache_file(name, key);
}

Collection read_package_set(const std::string& name) {
  expect_packages({name});
  const PackageSet& set = *find_set(name);
  Collection data = set.read(folder_of(set));
  data.sources = {{{"package", set.package}, {"license", set.licence}}};
  return data;
}

}  // namespace roclip::bench
