#include "harness/data/captions.h"

#include <algorithm>

#include <boost/algorithm/string/case_conv.hpp>
#include <boost/algorithm/string/erase.hpp>
#include <boost/algorithm/string/predicate.hpp>
#include <boost/algorithm/string/replace.hpp>
#include <nlohmann/json.hpp>

namespace roclip::bench {

namespace {

/// By spelling, with the exceptions that labels of emoji have.
bool takes_an(std::string_view text) {
  const std::string word = boost::to_lower_copy(std::string(text.substr(0, text.find(' '))));
  const auto starts = [&](const char* front) { return boost::starts_with(word, front); };
  if (starts("one") || starts("eu") || starts("uni")) return false;  // one-thirty, euro, unicorn
  return starts("hour") || (!word.empty() && std::string_view("aeiou").find(word.front()) != std::string_view::npos);
}

const std::string& pick(const Json& forms, Rng& rng) {
  return forms.at(static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(forms.size()))))
      .get_ref<const std::string&>();
}

bool has_word(const std::vector<std::string>& list, const std::string& word) {
  return std::ranges::find(list, word) != list.end();
}

}  // namespace

std::string fill_template(std::string_view form, std::string_view text) {
  const auto hole = form.find("{}");
  if (hole == std::string_view::npos) return std::string(form);
  std::string front(form.substr(0, hole));
  if (takes_an(text) && (front == "a " || boost::ends_with(front, " a "))) {
    front.back() = 'n';
    front += ' ';
  }
  return front.append(text).append(form.substr(hole + 2));
}

ClassInfo make_class(std::string name, const std::vector<std::string>& templates) {
  ClassInfo info{std::move(name), {}};
  for (const auto& form : templates) info.prompts.push_back(fill_template(form, info.name));
  return info;
}

std::string noun_phrase(std::string_view label) {
  std::string text(label);
  for (const char* mark : {"'", "’", "“", "”"}) boost::erase_all(text, mark);
  if (boost::starts_with(text, "flag: ")) return "the flag of " + text.substr(6);
  if (boost::starts_with(text, "keycap: ")) {
    boost::replace_all(text, "*", "asterisk");
    boost::replace_all(text, "#", "hash");
    return "the keycap " + text.substr(8);
  }
  const bool plural = boost::ends_with(text, "s") && !boost::ends_with(text, "ss");
  return plural ? text : fill_template("a {}", text);
}

std::string emoji_caption(std::string_view label, const std::vector<std::string>& tags, const std::string& class_name,
                          const Json& forms, Rng& rng) {
  const bool has_class = !class_name.empty();
  const bool only_class = has_class && rng.chance(forms.at("class_only_probability").get<double>());
  const std::string subject = only_class ? fill_template("a {}", class_name) : noun_phrase(label);
  std::string caption = fill_template(pick(forms.at("shapes"), rng), subject);
  if (has_class && !only_class && rng.chance(forms.at("class_probability").get<double>())) {
    caption += fill_template(pick(forms.at("class_phrases"), rng), class_name);
  }
  const auto label_words = words(label), class_words = words(class_name);
  std::vector<std::string> telling;
  for (const auto& tag : tags) {
    const auto tag_words = words(tag);
    const bool repeats = std::ranges::all_of(tag_words, [&](const auto& w) { return has_word(label_words, w); });
    const bool names_class = std::ranges::any_of(tag_words, [&](const auto& w) { return has_word(class_words, w); });
    if (!repeats && !names_class) telling.push_back(tag);
  }
  const auto count = static_cast<std::int64_t>(telling.size());
  const auto wanted = rng.below(forms.at("max_tags").get<std::int64_t>() + 1);
  for (const auto i : rng.sample(count, std::min(count, wanted))) {
    caption += ", " + telling[static_cast<std::size_t>(i)];
  }
  return caption;
}

}  // namespace roclip::bench
