/// Finds out which emoji an icon of an Iconify set draws. README.md states the rules and what they reach.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "roclip/params.h"

namespace roclip::bench {

/// "flag: Côte d’Ivoire" -> "flag-cote-divoire", "keycap: #" -> "keycap-hash": how Iconify makes names of labels.
std::string slug(std::string_view label);

/// One emoji of emojibase. Its key is its code points, "1F468-200D-2695", without the variation selector FE0F.
struct Emoji {
  std::string label;
  std::vector<std::string> tags;
  std::string subgroup;  ///< "animal-mammal"; empty for the letters that flags are made of
};

struct EmojiTable {
  std::map<std::string, Emoji> by_code;
  std::map<std::string, std::string> code_by_slug;
};
/// @param data, groups emojibase's en/data.json and meta/groups.json
EmojiTable read_emoji_table(const Json& data, const Json& groups);

/// An Iconify package.
struct IconSet {
  Json icons;                                             ///< icons.json
  std::map<std::string, std::vector<std::string>> codes;  ///< icon name -> emoji, from chars.json; sorted
};
/// @param chars chars.json, {"1f34e": "red-apple"}; pairs that are no emoji are left out.
IconSet read_icon_set(Json icons, const Json& chars, const EmojiTable& emoji);

struct IconMatch {
  std::map<std::string, std::string> icon_by_code;
  std::vector<std::string> unmatched;  ///< icons that draw no emoji: logos, old symbols
};
/// @param known icon name -> emoji, from the chars.json of all sets
/// @param aliases former icon name -> slug of today's label
IconMatch match_icons(const IconSet& set, const EmojiTable& emoji, const std::map<std::string, std::string>& known,
                      const Json& aliases);

/// The whole document of one icon.
std::string icon_svg(const Json& icons, const std::string& name);

}  // namespace roclip::bench
