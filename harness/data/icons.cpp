#include "harness/data/icons.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>

#include <glib.h>
#include <boost/algorithm/string.hpp>

namespace roclip::bench {

namespace {

std::string code_of(const std::string& hexcode) {
  return boost::erase_all_copy(boost::to_upper_copy(hexcode), "-FE0F");
}

bool is_skin_tone(const std::string& name) {
  return boost::contains(name, "skin-tone") || boost::ends_with(name, "-light") || boost::ends_with(name, "-medium") ||
         boost::ends_with(name, "-dark");
}

/// Which rule named the emoji of an icon; of two icons for one emoji, the lower rule wins.
enum class Rule { kOwnCode, kSlug, kKnownName, kFormerName, kFlag, kAlias };

std::optional<std::string> find(const std::map<std::string, std::string>& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

std::string slug(std::string_view label) {
  const std::unique_ptr<char, decltype(&g_free)> decomposed(
      g_utf8_normalize(label.data(), static_cast<gssize>(label.size()), G_NORMALIZE_ALL), g_free);
  std::string result;
  bool gap = false;
  const auto add = [&](std::string_view text) {
    if (gap && !result.empty()) result += '-';
    gap = false;
    result += text;
  };
  for (const char* p = decomposed.get(); *p != '\0'; p = g_utf8_next_char(p)) {
    const gunichar c = g_unichar_tolower(g_utf8_get_char(p));
    if (g_unichar_ismark(c) || c == '\'' || c == '.' || c == U'’' || c == U'“' || c == U'”') continue;
    if (c < 0x80 && g_ascii_isalnum(static_cast<char>(c))) {
      add(std::string(1, static_cast<char>(c)));
    } else if (c == '&') {
      add("and");
    } else if (c == '*') {
      add("asterisk");
    } else if (c == '#') {
      add("hash");
    } else {
      gap = true;
    }
  }
  return result;
}

EmojiTable read_emoji_table(const Json& data, const Json& groups) {
  EmojiTable table;
  for (const Json& entry : data) {
    const auto code = code_of(entry.at("hexcode"));
    Emoji emoji{entry.at("label"), entry.value("tags", std::vector<std::string>()), ""};
    if (entry.contains("subgroup")) {
      emoji.subgroup = groups.at("subgroups").at(std::to_string(entry.at("subgroup").get<int>()));
    }
    table.code_by_slug.emplace(slug(emoji.label), code);
    table.by_code.emplace(code, emoji);
  }
  return table;
}

IconSet read_icon_set(Json icons, const Json& chars, const EmojiTable& emoji) {
  IconSet set{std::move(icons), {}};
  for (const auto& [hexcode, name] : chars.items()) {
    const auto code = code_of(hexcode);
    if (emoji.by_code.contains(code)) set.codes[name].push_back(code);
  }
  for (auto& [name, codes] : set.codes) std::ranges::sort(codes);
  return set;
}

IconMatch match_icons(const IconSet& set, const EmojiTable& emoji, const std::map<std::string, std::string>& known,
                      const Json& aliases) {
  std::map<std::string, std::string> code_by_alias;  // icon name -> emoji, where another name of the icon is a label
  const Json names = set.icons.value("aliases", Json::object());
  for (const auto& [alias, target] : names.items()) {
    if (const auto code = find(emoji.code_by_slug, alias)) {
      code_by_alias.emplace(target.at("parent").get<std::string>(), *code);
    }
  }
  using Found = std::pair<Rule, std::string>;
  const auto identify = [&](const std::string& name) -> std::optional<Found> {
    if (const auto own = set.codes.find(name); own != set.codes.end()) return Found{Rule::kOwnCode, own->second[0]};
    if (const auto code = find(emoji.code_by_slug, name)) return Found{Rule::kSlug, *code};
    if (aliases.contains(name)) {
      const auto code = find(emoji.code_by_slug, aliases.at(name));
      return code ? std::optional<Found>({Rule::kFormerName, *code}) : std::nullopt;
    }
    if (const auto code = find(known, name)) return Found{Rule::kKnownName, *code};
    if (boost::starts_with(name, "flag-for-")) {
      const bool twice = boost::starts_with(name, "flag-for-flag-");
      const auto code = find(emoji.code_by_slug, "flag-" + name.substr(twice ? 14 : 9));
      if (code) return Found{Rule::kFlag, *code};
    }
    if (const auto code = find(code_by_alias, name)) return Found{Rule::kAlias, *code};
    return std::nullopt;
  };

  IconMatch match;
  std::set<std::tuple<Rule, std::string, std::string>> candidates;  // rule, icon, emoji: best rule first
  for (const auto& [name, icon] : set.icons.at("icons").items()) {
    if (icon.value("hidden", false)) continue;
    if (is_skin_tone(name) && !emoji.code_by_slug.contains(name)) continue;  // "police-car-light" is no skin tone
    if (const auto found = identify(name)) {
      candidates.emplace(found->first, name, found->second);
    } else {
      match.unmatched.push_back(name);
    }
  }
  for (const auto& [rule, name, code] : candidates) match.icon_by_code.emplace(code, name);
  return match;
}

std::string icon_svg(const Json& icons, const std::string& name) {
  constexpr double kDefaultSide = 16;  // Iconify's
  const Json& icon = icons.at("icons").at(name);
  const auto property = [&](const char* key, double fallback) { return icon.value(key, icons.value(key, fallback)); };
  const double width = property("width", kDefaultSide), height = property("height", kDefaultSide);
  std::ostringstream svg;
  svg << R"(<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width=")" << width
      << R"(" height=")" << height << R"(" viewBox=")" << property("left", 0) << ' ' << property("top", 0) << ' '
      << width << ' ' << height << R"(">)" << icon.at("body").get_ref<const std::string&>() << "</svg>";
  return svg.str();
}

}  // namespace roclip::bench
