#include "harness/data/icons.h"

#include <catch2/catch.hpp>

using namespace roclip;
using namespace roclip::bench;

namespace {

EmojiTable table() {
  const auto entry = [](const char* hexcode, const char* label) {
    return Json{{"hexcode", hexcode}, {"label", label}, {"subgroup", 0}};
  };
  return read_emoji_table(
      {entry("1F34E", "red apple"), entry("1F393", "bullseye"), entry("1F1F9", "flag: Türkiye"),
       entry("1F1E8", "flag: Chad"), entry("1F693", "police car light"), entry("2639-FE0F", "frown")},
      {{"subgroups", {{"0", "thing"}}}});
}

IconMatch match(const Json& icons, const Json& chars, const Json& aliases = Json::object(),
                const std::map<std::string, std::string>& known = {}) {
  const auto emoji = table();
  return match_icons(read_icon_set(icons, chars, emoji), emoji, known, aliases);
}

Json icons(std::initializer_list<const char*> names) {
  Json json = {{"icons", Json::object()}};
  for (const char* name : names) json["icons"][name] = {{"body", ""}};
  return json;
}

using Map = std::map<std::string, std::string>;

}  // namespace

TEST_CASE("slugs are the names that icon sets use", "[data][icons]") {
  CHECK(slug("flag: Türkiye") == "flag-turkiye");
  CHECK(slug("flag: Åland Islands") == "flag-aland-islands");
  CHECK(slug("flag: Côte d’Ivoire") == "flag-cote-divoire");
  CHECK(slug("flag: Bosnia & Herzegovina") == "flag-bosnia-and-herzegovina");
  CHECK(slug("flag: St. Barthélemy") == "flag-st-barthelemy");
  CHECK(slug("keycap: *") == "keycap-asterisk");
  CHECK(slug("keycap: #") == "keycap-hash");
  CHECK(slug("Japanese “here” button") == "japanese-here-button");
  CHECK(slug("A button (blood type)") == "a-button-blood-type");
}

TEST_CASE("an icon is found by its own code point, however it is written", "[data][icons]") {
  CHECK(match(icons({"sad"}), {{"2639", "sad"}, {"2639-fe0f", "sad"}}).icon_by_code == Map{{"2639", "sad"}});
}

TEST_CASE("an icon is found by slug, former name, flag prefix, other sets and aliases", "[data][icons]") {
  Json set = icons({"red-apple", "direct-hit", "flag-for-chad", "trouble", "siren", "logo"});
  set["aliases"]["police-car-light"]["parent"] = "siren";
  const auto result = match(set, Json::object(), {{"direct-hit", "bullseye"}}, {{"trouble", "2639"}});
  CHECK(result.icon_by_code == Map{{"1F34E", "red-apple"},
                                   {"1F393", "direct-hit"},
                                   {"1F1E8", "flag-for-chad"},
                                   {"2639", "trouble"},
                                   {"1F693", "siren"}});
  CHECK(result.unmatched == std::vector<std::string>{"logo"});
}

TEST_CASE("of two icons for one emoji the surer rule wins", "[data][icons]") {
  const auto result = match(icons({"apple", "red-apple"}), Json::object(), {{"apple", "red-apple"}});
  CHECK(result.icon_by_code == Map{{"1F34E", "red-apple"}});
}

TEST_CASE("skin tones and hidden icons are left out, a police car light is not", "[data][icons]") {
  Json set = icons({"red-apple-medium-light", "red-apple-dark", "frown-skin-tone-2", "police-car-light", "bullseye"});
  set["icons"]["bullseye"]["hidden"] = true;
  const auto result = match(set, Json::object());
  CHECK(result.icon_by_code == Map{{"1F693", "police-car-light"}});
  CHECK(result.unmatched.empty());
}

TEST_CASE("an icon's box is its own, else that of its set, else 16", "[data][icons]") {
  const Json set = {{"width", 32}, {"icons", {{"a", {{"body", "<g/>"}, {"height", 25.22}, {"left", -1}}}}}};
  CHECK_THAT(icon_svg(set, "a"), Catch::Contains(R"(width="32" height="25.22" viewBox="-1 0 32 25.22"><g/></svg>)"));
  CHECK_THAT(icon_svg({{"icons", {{"a", {{"body", ""}}}}}}, "a"), Catch::Contains(R"(viewBox="0 0 16 16")"));
}
