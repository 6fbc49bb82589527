#include "harness/data/emoji.h"

#include <algorithm>
#include <map>
#include <set>

#include <boost/process.hpp>

#include "harness/data/cache.h"
#include "harness/data/captions.h"
#include "harness/data/icons.h"
#include "harness/data/image.h"
#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "roclip/error.h"
#include "roclip/rng.h"

namespace roclip::bench {

namespace fs = std::filesystem;
namespace process = boost::process;

namespace {

/// Raised when this code makes other images or captions of the same packages.
constexpr int kEmojiRevision = 1;
constexpr std::int64_t kImagePx = 64;
/// Of the captions and of the choice of held-out images. Fixed: all studies meet the same data set.
constexpr std::uint64_t kSeed = 20260;

constexpr const char* kShared[] = {"package.json", "package-lock.json", "recipe.json", "aliases.json"};

fs::path shared(const char* name) { return share_dir() / "emoji" / name; }

fs::path package(const fs::path& packages, const std::string& style) { return packages / "@iconify-json" / style; }

/// The name has a hash of all that decides the content.
fs::path file_of(const char* name) {
  std::string contents = std::to_string(kEmojiRevision);
  for (const char* each : kShared) contents += '\n' + read_file(shared(each));
  return cache_file(name, contents);
}

/// What the style's package says about itself.
Json describe_source(const fs::path& packages, const std::string& style, const char* role) {
  const Json info = read_json(package(packages, style) / "info.json");
  return {{"style", style},
          {"role", role},
          {"package", "@iconify-json/" + style},
          {"version", read_json(package(packages, style) / "package.json").at("version")},
          {"name", info.at("name")},
          {"author", info.at("author").at("name")},
          {"url", info.at("author").value("url", "")},
          {"license", info.at("license").value("spdx", info.at("license").at("title"))}};
}

/// At most `per_class` items of each class, chosen by chance, in their old order.
std::vector<Item> cap_classes(const std::vector<Item>& items, std::int64_t per_class, Rng rng) {
  std::map<std::int64_t, std::vector<std::size_t>> by_class;
  for (std::size_t i = 0; i < items.size(); ++i) by_class[items[i].label].push_back(i);
  std::vector<std::size_t> kept;
  for (const auto& [label, members] : by_class) {
    const auto count = static_cast<std::int64_t>(members.size());
    for (const auto i : rng.sample(count, std::min(count, per_class))) {
      kept.push_back(members[static_cast<std::size_t>(i)]);
    }
  }
  std::ranges::sort(kept);
  std::vector<Item> result;
  for (const auto i : kept) result.push_back(items[i]);
  return result;
}

void install_packages(const fs::path& folder) {
  for (const char* name : {"package.json", "package-lock.json"}) fs::copy_file(shared(name), folder / name);
  const auto npm = process::search_path("npm");
  if (npm.empty()) {
    throw Error(ErrorKind::kData,
                "npm, which fetches the drawings of `emoji`, is not on the PATH: apt-get install npm");
  }
  const auto log = folder / "npm.log";
  const int status = process::system(
      npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", process::start_dir(folder.string()),
      process::std_in<process::null, (process::std_out & process::std_err)> log.string());
  if (status != 0) {
    throw Error(ErrorKind::kData, "npm ci failed with status " + std::to_string(status) +
                                      " while fetching the drawings of `emoji`:\n" + read_file(log));
  }
}

}  // namespace

fs::path emoji_file() { return file_of("emoji"); }

fs::path sprites_file() { return file_of("sprites"); }

Collection as_sprites(Collection emoji) {
  constexpr std::string_view kBlack = "on black:";
  emoji.name = "sprites";
  emoji.drawing = "rendering sprites";
  emoji.draw = [kBlack](const Item& item) {
    const bool black = item.source.starts_with(kBlack);
    return render_svg(black ? item.source.substr(kBlack.size()) : item.source, kImagePx,
                      black ? Ground::kBlack : Ground::kWhite);
  };
  for (auto* items : {&emoji.train, &emoji.held_out}) {
    std::vector<Item> twice;
    for (auto& item : *items) {
      item.caption = item.meaning;
      twice.push_back(item);
      item.source = std::string(kBlack) + item.source;
      twice.push_back(std::move(item));
    }
    *items = std::move(twice);
  }
  return emoji;
}

Collection read_emoji(const fs::path& packages, const Json& recipe, const Json& aliases) {
  Collection data;
  data.name = "emoji";
  data.image_px = kImagePx;
  data.drawing = "rendering emoji";
  data.draw = [](const Item& item) { return draw_item(item, kImagePx); };

  const auto emojibase = packages / "emojibase-data";
  const Json groups = read_json(emojibase / "meta" / "groups.json");
  const EmojiTable emoji = read_emoji_table(read_json(emojibase / "en" / "data.json"), groups);
  data.sources.push_back({{"package", "emojibase-data"},
                          {"version", read_json(emojibase / "package.json").at("version")},
                          {"license", read_json(emojibase / "package.json").at("license")}});

  std::set<std::string> subgroups_known;
  for (const auto& subgroup : groups.at("subgroups")) subgroups_known.insert(subgroup);
  std::map<std::string, std::int64_t> label_of_subgroup;
  // In alphabetical order of the class words: the order of keys in a JSON object means nothing.
  for (const auto& [name, subgroups] : recipe.at("classes").items()) {
    const auto label = static_cast<std::int64_t>(data.classes.size());
    for (const auto& subgroup : subgroups) {
      if (!subgroups_known.contains(subgroup) || !label_of_subgroup.emplace(subgroup, label).second) {
        throw Error(ErrorKind::kData, "recipe.json: /classes/" + name + ": " + subgroup.dump() +
                                          " is no subgroup of emojibase, or belongs to another class");
      }
    }
    data.classes.push_back(make_class(name, recipe.at("prompts")));
  }
  const auto left_out = recipe.at("left_out_subgroups").get<std::vector<std::string>>();

  const auto train_styles = recipe.at("train_styles").get<std::vector<std::string>>();
  const auto held_out_styles = recipe.at("held_out_styles").get<std::vector<std::string>>();
  std::map<std::string, IconSet> sets;
  std::map<std::string, std::string> known;
  for (const auto* styles : {&train_styles, &held_out_styles}) {
    for (const auto& style : *styles) {
      const IconSet& set = sets[style] = read_icon_set(read_json(package(packages, style) / "icons.json"),
                                                       read_json(package(packages, style) / "chars.json"), emoji);
      for (const auto& [name, codes] : set.codes) known.emplace(name, codes[0]);
      data.sources.push_back(describe_source(packages, style, styles == &train_styles ? "train" : "held_out"));
    }
  }

  Rng rng(stream(kSeed, "captions"));
  const auto items_of = [&](const std::vector<std::string>& styles) {
    std::vector<Item> items;
    for (const auto& style : styles) {
      const IconSet& set = sets.at(style);
      const IconMatch match = match_icons(set, emoji, known, aliases);
      for (const auto& name : match.unmatched) data.skipped[{"", "draws no emoji"}].push_back(style + ":" + name);
      for (const auto& [code, icon] : match.icon_by_code) {
        const Emoji& meaning = emoji.by_code.at(code);
        if (meaning.subgroup.empty() || std::ranges::find(left_out, meaning.subgroup) != left_out.end()) continue;
        const auto label = label_of_subgroup.find(meaning.subgroup);
        const bool labelled = label != label_of_subgroup.end();
        const std::string class_name = labelled ? data.classes[static_cast<std::size_t>(label->second)].name : "";
        items.push_back({.name = style + ":" + icon,
                         .source = icon_svg(set.icons, icon),
                         .caption = emoji_caption(meaning.label, meaning.tags, class_name, recipe.at("captions"), rng),
                         .meaning = meaning.label,
                         .label = labelled ? label->second : Item::kNoLabel,
                         .coding = Coding::kSvg});
      }
    }
    return items;
  };
  data.train = items_of(train_styles);
  std::ranges::stable_partition(data.train, [](const Item& item) { return item.label != Item::kNoLabel; });
  auto held_out = items_of(held_out_styles);
  std::erase_if(held_out, [](const Item& item) { return item.label == Item::kNoLabel; });
  data.held_out = cap_classes(held_out, recipe.at("held_out_per_class"), Rng(stream(kSeed, "held_out")));
  return data;
}

Collection fetch_emoji(const fs::path& folder, const Progress& progress) {
  progress("fetching the drawings of emoji (npm ci)", 0, 0);
  install_packages(folder);
  return read_emoji(folder / "node_modules", read_json(shared("recipe.json")), read_json(shared("aliases.json")));
}

}  // namespace roclip::bench
