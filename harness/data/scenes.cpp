#include "harness/data/scenes.h"

#include <algorithm>
#include <cstring>

#include <boost/algorithm/string/predicate.hpp>

#include "harness/data/captions.h"

namespace roclip::bench {

namespace {

using Rgb = std::array<std::uint8_t, 3>;

struct Colour {
  const char* name;
  Rgb rgb;
};
constexpr std::array<Colour, 11> kColours = {{{"red", {214, 40, 40}},
                                              {"orange", {245, 130, 32}},
                                              {"yellow", {250, 210, 50}},
                                              {"green", {60, 160, 70}},
                                              {"blue", {45, 100, 210}},
                                              {"purple", {130, 70, 180}},
                                              {"pink", {240, 130, 180}},
                                              {"brown", {125, 80, 50}},
                                              {"black", {35, 35, 38}},
                                              {"white", {245, 245, 245}},
                                              {"grey", {140, 140, 145}}}};
constexpr std::int64_t kWhite = 9;

enum GroundKind : std::int64_t { kPlain, kGradient, kStripes, kChecker, kRough, kLand, kNight, kGrounds };

/// Where there is land: its colour, that of the sky, and how it is called.
struct Land {
  Rgb sky, ground;
  std::array<const char*, 2> names;
};
constexpr std::array<Land, 6> kLands = {{{{150, 200, 240}, {95, 165, 70}, {"on the grass", "in a meadow"}},
                                         {{120, 195, 245}, {235, 205, 140}, {"on a beach", "in the sand"}},
                                         {{200, 215, 230}, {245, 248, 252}, {"in the snow", "in winter"}},
                                         {{170, 215, 245}, {40, 110, 170}, {"on the water", "by the sea"}},
                                         {{190, 200, 210}, {95, 95, 100}, {"on a road", "in the street"}},
                                         {{250, 160, 90}, {95, 60, 85}, {"at sunset", "in the evening"}}}};

enum Relation : std::int64_t { kLeft, kRight, kAbove, kBelow, kBeside, kRelations };
constexpr std::array<std::array<const char*, 3>, kRelations> kRelationWords = {
    {{" left of ", " to the left of ", " on the left of "},
     {" right of ", " to the right of ", " on the right of "},
     {" above ", " over ", " on top of "},
     {" below ", " under ", " beneath "},
     {" next to ", " and ", " with "}}};

constexpr std::array kNumbers = {"", "", "two", "three", "four"};
constexpr std::array kShapes = {"{}",
                                "a drawing of {}",
                                "a picture of {}",
                                "an icon of {}",
                                "a cartoon of {}",
                                "an emoji of {}",
                                "an image of {}",
                                "{} in a picture",
                                "look, {}",
                                "clip art of {}"};
constexpr std::array kNoise = {"stock image", "free download", "vector file",  "wallpaper",  "isolated",
                               "for kids",    "high quality",  "royalty free", "new",        "by request",
                               "see more",    "part 2",        "cute",         "collection", "for print"};
constexpr std::array kCorners = {"in the top left",    "at the top",    "in the top right",
                                 "on the left",        "in the middle", "on the right",
                                 "in the bottom left", "at the bottom", "in the bottom right"};

template <class List>
const auto& pick(const List& list, Rng& rng) {
  return list[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(list.size())))];
}

std::int64_t find_colour(const std::string& word) {
  const auto found = std::ranges::find(kColours, word, &Colour::name);
  return found == kColours.end() ? -1 : found - kColours.begin();
}

std::string plural_of(const std::string& noun) {
  const auto ends = [&](const char* end) { return boost::ends_with(noun, end); };
  if (ends("s") || ends("x") || ends("ch") || ends("sh")) return noun + "es";
  const bool vowel = noun.size() > 1 && std::string_view("aeiou").find(noun[noun.size() - 2]) != std::string_view::npos;
  return ends("y") && !vowel ? noun.substr(0, noun.size() - 1) + "ies" : noun + "s";
}

/// 255 * 255 at most. @return x / 255, rounded
constexpr std::uint32_t over_255(std::uint32_t x) { return (x + 128 + ((x + 128) >> 8)) >> 8; }

}  // namespace

Sprites::Noun make_noun(const std::string& meaning, std::int64_t label) {
  Sprites::Noun noun{.alone = noun_phrase(meaning), .one = "", .many = "", .label = label};
  const bool plural = boost::ends_with(meaning, "s") && !boost::ends_with(meaning, "ss");
  if (plural || meaning.find(':') != std::string::npos) return noun;
  noun.countable = true;
  // A thing that gets another colour loses the one in its name.
  const auto front = meaning.substr(0, meaning.find(' '));
  noun.one = find_colour(front) >= 0 && front.size() < meaning.size() ? meaning.substr(front.size() + 1) : meaning;
  noun.many = plural_of(noun.one);
  return noun;
}

std::array<std::int64_t, 4> sprite_sides(std::int64_t image_px) {
  return {image_px * 3 / 8, image_px / 2, image_px * 5 / 8, image_px * 3 / 4};
}

Scenes::Scenes(std::shared_ptr<const Sprites> sprites, const SceneOptions& options)
    : sprites_(std::move(sprites)), options_(options), stream_(stream(options.seed, "scenes")) {
  std::vector<std::vector<std::int64_t>> by_class(sprites_->classes.size());
  for (auto drawing = options.first; drawing < options.last; ++drawing) {
    const auto label = sprites_->nouns[static_cast<std::size_t>(drawing)].label;
    if (label != Sprites::kNoLabel) by_class[static_cast<std::size_t>(label)].push_back(drawing);
    drawings_.push_back(drawing);
  }
  for (auto& members : by_class) {
    if (!members.empty()) of_class_.push_back(std::move(members));
  }
}

std::int64_t Scenes::choose_drawing(Rng& rng, bool labelled) const {
  if (labelled || (!of_class_.empty() && rng.chance(0.5))) return pick(pick(of_class_, rng), rng);
  return pick(drawings_, rng);
}

/// Sizes and places: the first thing is the largest.
void Scenes::place(Scene& scene, Rng& rng) const {
  const auto px = options_.image_px, half = px / 2;
  const auto side = [&](const Thing& thing) { return sprite_sides(px)[static_cast<std::size_t>(thing.size)]; };
  auto& main = scene.things[0];
  if (scene.count == 2) {
    main.size = 1 + rng.below(2);
    const bool upright = scene.relation == kAbove || scene.relation == kBelow;
    const bool main_first =
        scene.relation == kBeside ? rng.chance(0.5) : scene.relation == kLeft || scene.relation == kAbove;
    const auto free = px - side(main) - side(scene.things[1]);
    const auto gap = rng.below(free + 1), along = rng.below(free - gap + 1);
    for (std::size_t i = 0; i < 2; ++i) {
      auto& thing = scene.things[i];
      const auto before = (i == 0) == main_first ? along : along + gap + side(scene.things[1 - i]);
      const auto across = rng.below(px - side(thing) + 1);
      thing.places[0] = upright ? std::array{across, before} : std::array{before, across};
    }
    return;
  }
  if (scene.count == 1 && main.count == 1) {
    main.size = 1 + rng.below(3);
    main.places[0] = {rng.below(px - side(main) + 1), rng.below(px - side(main) + 1)};
    return;
  }
  // Several of one kind, or three things: one in each quarter.
  const auto turn = rng.below(4);
  std::int64_t quarter = turn;
  for (std::int64_t i = 0; i < scene.count; ++i) {
    auto& thing = scene.things[static_cast<std::size_t>(i)];
    thing.size = scene.count == 3 && i == 0 ? 1 : 0;
    for (std::int64_t copy = 0; copy < thing.count; ++copy, ++quarter) {
      const auto room = half - side(thing) + 1;
      thing.places[static_cast<std::size_t>(copy)] = {quarter % 2 * half + rng.below(room),
                                                      quarter / 2 % 2 * half + rng.below(room)};
    }
  }
}

Scenes::Scene Scenes::scene(std::int64_t index) const {
  Rng rng(stream_ + 0xd1342543de82ef95ULL * static_cast<std::uint64_t>(index));  // one stream a pair
  rng.next();
  Scene scene;
  const double kind = rng.uniform();
  scene.count = kind < 0.45 ? 1 : kind < 0.85 ? 2 : 3;
  for (std::int64_t i = 0; i < scene.count; ++i) {
    auto& thing = scene.things[static_cast<std::size_t>(i)];
    thing.drawing = choose_drawing(rng, options_.labelled && i == 0);
    if (!sprites_->nouns[static_cast<std::size_t>(thing.drawing)].countable) continue;
    if (rng.chance(0.35)) thing.colour = rng.below(std::ssize(kColours));
    if (scene.count == 1 && rng.chance(0.3)) thing.count = 2 + rng.below(3);
  }
  scene.relation = rng.below(kRelations);
  place(scene, rng);

  const double ground = rng.uniform();
  scene.ground = ground < 0.4 ? kPlain : kGradient + rng.below(kGrounds - kGradient);
  for (std::size_t i = 0; i < 2; ++i) {
    const bool white = scene.ground == kPlain && rng.chance(0.4);
    scene.named[i] = white ? kWhite : rng.below(std::ssize(kColours));
    const bool pale = rng.chance(0.5);
    for (std::size_t c = 0; c < 3; ++c) {
      const std::int64_t value = kColours[static_cast<std::size_t>(scene.named[i])].rgb[c];
      const auto shade = (pale ? (value + 2 * 255) / 3 : value) + (white ? 0 : rng.below(31) - 15);
      scene.colours[i][c] = static_cast<std::uint8_t>(std::clamp<std::int64_t>(shade, 0, 255));
    }
  }
  scene.detail = rng.below(1 << 16);
  scene.words = rng.next();
  return scene;
}

std::int64_t Scenes::label(std::int64_t index) const {
  return sprites_->nouns[static_cast<std::size_t>(scene(index).things[0].drawing)].label;
}

std::string Scenes::phrase(const Thing& thing, Rng& rng) const {
  const auto& noun = sprites_->nouns[static_cast<std::size_t>(thing.drawing)];
  const bool by_class = noun.label != Sprites::kNoLabel && rng.chance(0.2);
  const bool says_colour = thing.colour >= 0 && rng.chance(0.9);
  if (!by_class && !says_colour && thing.count == 1) return noun.alone;
  std::string one = noun.one, many = noun.many;
  if (by_class) {
    one = sprites_->classes[static_cast<std::size_t>(noun.label)].name;
    many = plural_of(one);
  }
  const auto colour =
      says_colour ? std::string(kColours[static_cast<std::size_t>(thing.colour)].name) + " " : std::string();
  if (thing.count == 1) return fill_template("a {}", colour + one);
  return kNumbers[static_cast<std::size_t>(thing.count)] + (" " + colour + many);
}

std::string Scenes::caption(std::int64_t index) const {
  auto scene = this->scene(index);
  Rng rng(scene.words);
  auto& main = scene.things[0];
  if (rng.chance(options_.wrong_share)) main.drawing = choose_drawing(rng, false);
  if (!sprites_->nouns[static_cast<std::size_t>(main.drawing)].countable) main.count = 1, main.colour = -1;
  std::string text = phrase(main, rng);
  if (scene.count == 2) {
    text += pick(kRelationWords[static_cast<std::size_t>(scene.relation)], rng) + phrase(scene.things[1], rng);
  } else if (scene.count == 3) {
    text += ", " + phrase(scene.things[1], rng) + " and " + phrase(scene.things[2], rng);
  } else if (main.count == 1 && rng.chance(0.15)) {
    const auto third = [&](std::int64_t at) {
      const auto side = sprite_sides(options_.image_px)[static_cast<std::size_t>(main.size)];
      return std::min<std::int64_t>(2, 3 * (2 * at + side) / (2 * options_.image_px));
    };
    text +=
        std::string(" ") + kCorners[static_cast<std::size_t>(3 * third(main.places[0][1]) + third(main.places[0][0]))];
  }
  if (rng.chance(0.45)) {
    const auto name = [&](std::size_t i) {
      return std::string(kColours[static_cast<std::size_t>(scene.named[i])].name);
    };
    switch (scene.ground) {
      case kPlain:
        text += fill_template(rng.chance(0.5) ? " on a {} background" : " on {}", name(0));
        break;
      case kGradient:
        text += fill_template(" on a {} background", name(0) + " and " + name(1));
        break;
      case kStripes:
        text += rng.chance(0.5) ? " on a striped wall" : " on " + name(0) + " and " + name(1) + " stripes";
        break;
      case kChecker:
        text += rng.chance(0.5) ? " on a checkered floor" : " on " + name(0) + " and " + name(1) + " checks";
        break;
      case kRough:
        text += fill_template(" on a {} wall", name(0));
        break;
      case kLand:
        text += std::string(" ") + pick(kLands[static_cast<std::size_t>(scene.detail % std::ssize(kLands))].names, rng);
        break;
      default:
        text += rng.chance(0.5) ? " at night" : " under the stars";
    }
  }
  text = fill_template(pick(kShapes, rng), text);
  if (rng.chance(options_.noise_share)) text += std::string(", ") + pick(kNoise, rng);
  return text;
}

void Scenes::read_image(std::int64_t index, std::uint8_t* to) const {
  const auto scene = this->scene(index);
  draw_ground(scene, to);
  for (auto i = scene.count - 1; i >= 0; --i)
    draw(scene.things[static_cast<std::size_t>(i)], to);  // the first in front
}

void Scenes::draw_ground(const Scene& scene, std::uint8_t* to) const {
  const auto px = options_.image_px;
  const auto width = static_cast<std::size_t>(px);
  const auto& [first, second] = scene.colours;
  const auto& land = kLands[static_cast<std::size_t>(scene.detail % std::ssize(kLands))];
  const auto horizon = px * (40 + scene.detail / 8 % 30) / 100;
  const auto stripe = std::max<std::int64_t>(2, px / 16 << (scene.detail % 3));
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::int64_t y = 0; y < px; ++y, to += width) {
      const auto between = [&](std::int64_t a, std::int64_t b) {
        return static_cast<std::uint8_t>((a * (px - 1 - y) + b * y) / (px - 1));
      };
      switch (scene.ground) {
        case kPlain:
          std::memset(to, first[c], width);
          break;
        case kGradient:
          std::memset(to, between(first[c], second[c]), width);
          break;
        case kStripes:
          if (scene.detail % 2 == 0) {
            std::memset(to, (y / stripe % 2 == 0 ? first : second)[c], width);
            break;
          }
          for (std::int64_t x = 0; x < px; ++x) to[x] = (x / stripe % 2 == 0 ? first : second)[c];
          break;
        case kChecker:
          for (std::int64_t x = 0; x < px; ++x) to[x] = ((x / stripe + y / stripe) % 2 == 0 ? first : second)[c];
          break;
        case kRough: {
          auto grain =
              static_cast<std::uint32_t>(scene.detail + 1) * 2654435761U + static_cast<std::uint32_t>(y) * 40503U;
          for (std::int64_t x = 0; x < px; ++x) {
            grain = grain * 1664525U + 1013904223U;
            to[x] = static_cast<std::uint8_t>(std::clamp<std::int64_t>(first[c] + (grain >> 27) - 16, 0, 255));
          }
          break;
        }
        case kLand:
          std::memset(to, y < horizon ? between(land.sky[c], (land.sky[c] + 255) / 2) : land.ground[c], width);
          break;
        default: {
          constexpr Rgb kDark = {12, 16, 48}, kLow = {50, 50, 105};
          std::memset(to, between(kDark[c], kLow[c]), width);
          const auto star = (scene.detail * 31 + y * y * 17) % (3 * px);  // in a third of the rows
          if (star < px) to[star] = 235;
        }
      }
    }
  }
}

void Scenes::draw(const Thing& thing, std::uint8_t* to) const {
  const auto& pixels = sprites_->sizes[static_cast<std::size_t>(thing.size)];
  const auto side = pixels.size(3), px = options_.image_px, area = side * side;
  const auto* white = pixels.data_ptr<std::uint8_t>() + 2 * thing.drawing * 3 * area;
  const auto* black = white + 3 * area;
  for (std::int64_t copy = 0; copy < thing.count; ++copy) {
    const auto [left, top] = thing.places[static_cast<std::size_t>(copy)];
    for (std::int64_t c = 0; c < 3; ++c) {
      const std::uint32_t tint =
          thing.colour < 0 ? 0 : kColours[static_cast<std::size_t>(thing.colour)].rgb[static_cast<std::size_t>(c)];
      for (std::int64_t y = 0; y < side; ++y) {
        auto* row = to + (c * px + top + y) * px + left;
        const auto *w = white + (c * side + y) * side, *b = black + (c * side + y) * side;
        if (thing.colour < 0) {
          for (std::int64_t x = 0; x < side; ++x) {
            const std::uint32_t through = w[x] - b[x];
            row[x] = static_cast<std::uint8_t>(b[x] + over_255(through * row[x]));
          }
          continue;
        }
        // The colour, darker where the drawing is dark.
        const auto* red = black + y * side;
        for (std::int64_t x = 0; x < side; ++x) {
          const std::uint32_t through = w[x] - b[x], cover = 255 - through;
          const std::uint32_t light = (77U * red[x] + 150U * red[x + area] + 29U * red[x + 2 * area]) >> 8;
          const std::uint32_t own = over_255(tint * ((cover * 96 + light * 159) >> 8));
          row[x] = static_cast<std::uint8_t>(std::min(255U, own + over_255(through * row[x])));
        }
      }
    }
  }
}

}  // namespace roclip::bench
