#include "harness/data/captions.h"

#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace roclip;
using namespace roclip::bench;

namespace {

const Json kForms = {{"shapes", {"a drawing of {}", "an icon of {}"}},
                     {"class_phrases", {", a kind of {}"}},
                     {"class_only_probability", 0.25},
                     {"class_probability", 0.5},
                     {"max_tags", 2}};

}  // namespace

TEST_CASE("a template takes an where it sounds like one", "[data][captions]") {
  CHECK(fill_template("a drawing of a {}", "mammal") == "a drawing of a mammal");
  CHECK(fill_template("a drawing of a {}", "instrument") == "a drawing of an instrument");
  CHECK(fill_template("a {}!", "Arrow") == "an Arrow!");
  CHECK(fill_template("a kind of {}", "arrow") == "a kind of arrow");
  CHECK(fill_template("a {}", "hourglass") == "an hourglass");
  for (const std::string word : {"unicorn", "one-thirty", "European castle"}) {
    CHECK(fill_template("a {}", word) == "a " + word);
  }
}

TEST_CASE("labels become noun phrases", "[data][captions]") {
  CHECK(noun_phrase("red apple") == "a red apple");
  CHECK(noun_phrase("eyes") == "eyes");
  CHECK(noun_phrase("glass") == "a glass");
  CHECK(noun_phrase("flag: Åland Islands") == "the flag of Åland Islands");
  CHECK(noun_phrase("keycap: #") == "the keycap hash");
  CHECK(noun_phrase("woman’s hat") == "a womans hat");
}

TEST_CASE("captions name label or class or both, then tags, and never repeat themselves", "[data][captions]") {
  Rng rng(7);
  int both = 0, only_class = 0;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto caption = emoji_caption("red apple", {"apple", "fruit salad", "tree", "healthy"}, "fruit", kForms, rng);
    CHECK_FALSE(contains_phrase(caption, "salad"));  // the tag shares a word with the class
    const bool has_label = contains_phrase(caption, "red apple"), has_class = contains_phrase(caption, "fruit");
    CHECK((has_label || !contains_phrase(caption, "apple")));  // the tag gives the label away
    CHECK((has_label || has_class));
    both += has_label && has_class;
    only_class += !has_label;
    if (has_class) CHECK(caption.find("fruit") < std::min(caption.find("tree"), caption.find("healthy")));
    seen.insert(caption);
  }
  CHECK(only_class == Approx(250).margin(60));
  CHECK(both == Approx(375).margin(60));
  CHECK(seen.size() == 2 * 3 * 5);  // shapes x (label, both, class) x tags (none, either, both in two orders)
}

TEST_CASE("captions are the same for the same seed on every machine", "[data][captions]") {
  Rng rng(1);
  const auto first = emoji_caption("red apple", {"tree", "healthy"}, "fruit", kForms, rng);
  const auto second = emoji_caption("cat", {"pet", "kitten"}, "mammal", kForms, rng);
  CHECK(first == "an icon of a red apple, healthy, tree");
  CHECK(second == "an icon of a cat, a kind of mammal");
}

TEST_CASE("a class without a word gets no class phrase", "[data][captions]") {
  Rng rng(3);
  for (int i = 0; i < 50; ++i) CHECK(emoji_caption("robot", {}, "", kForms, rng).find("kind") == std::string::npos);
}
