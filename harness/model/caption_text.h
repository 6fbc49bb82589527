/// Captions as OpenAI's tokenizer reads them: cleaned, and split into the words that byte pairs are merged within.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace roclip::bench {

/// What open_clip 3.3.0 makes of a caption before it looks for tokens: ftfy.fix_text(), html.unescape() twice, no white
/// space at the ends and single spaces within, lower case. Bytes that are not UTF-8 become U+FFFD as in Python.
///
/// Not implemented: ftfy's repair of text that was decoded wrongly (fix_encoding: "sÃ³" stays as it is, ftfy makes "só"
/// of it), and its cut of lines of over a million characters. What a letter is follows the Unicode version of utf8proc.
/// @throws Error(kData) if share_dir() has no table of HTML entities and the caption has one
std::string clean_caption(std::string_view utf8);

/// Words of a caption that clean_caption() made: <start_of_text>, <end_of_text>, 's 't 're 've 'm 'll 'd, runs of
/// letters, single digits, and runs of anything else that is not white space.
std::vector<std::string> bpe_words(std::string_view cleaned);

}  // namespace roclip::bench
