/// Words around images: prompts of classes, and the captions of `emoji`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "roclip/dataset.h"
#include "roclip/params.h"
#include "roclip/rng.h"

namespace roclip::bench {

/// Puts `text` in the place of "{}"; "a {}" becomes "an ..." where the sound of `text` asks for it.
std::string fill_template(std::string_view form, std::string_view text);

/// A class with one prompt per template.
ClassInfo make_class(std::string name, const std::vector<std::string>& templates);

/// "red apple" -> "a red apple", "eyes" -> "eyes", "flag: Chad" -> "the flag of Chad", "keycap: #" -> "the keycap
/// hash". Apostrophes and quotation marks are dropped.
std::string noun_phrase(std::string_view label);

/// One caption for an emoji: a shape around its label or, by `class_only_probability`, around its class; after a label,
/// by `class_probability`, the class as well; then up to `max_tags` of its tags. Tags are last so that a short context
/// never cuts the class; those that say nothing new, or that give the label or the class away, are left out.
/// @param forms "captions" of emoji/recipe.json  @param class_name empty: none
std::string emoji_caption(std::string_view label, const std::vector<std::string>& tags, const std::string& class_name,
                          const Json& forms, Rng& rng);

}  // namespace roclip::bench
