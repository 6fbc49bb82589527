#include "harness/model/bpe.h"

#include <cstdlib>
#include <map>

#include <torch/utils.h>
#include <zlib.h>
#include <catch2/catch.hpp>

#include "harness/model/caption_text.h"
#include "harness/record/files.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

using Ids = std::vector<std::int64_t>;
using Words = std::vector<std::string>;

constexpr std::int64_t kEndsWord = 256;
std::int64_t id_of(char letter) { return letter - '!'; }

Ids row_of(const torch::Tensor& tokens, std::int64_t row) {
  const auto values = tokens[row].contiguous();
  return {values.data_ptr<std::int64_t>(), values.data_ptr<std::int64_t>() + values.numel()};
}

/// Ids of words of ASCII letters after as many merges, each found by counting all pairs anew.
std::vector<Ids> merged_slowly(const Words& words, std::int64_t merges) {
  std::vector<Ids> all;
  for (const auto& word : words) {
    auto& ids = all.emplace_back();
    for (const char letter : word) ids.push_back(id_of(letter));
    ids.back() += kEndsWord;
  }
  for (std::int64_t made = 512; made < 512 + merges; ++made) {
    std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> counts;
    for (const auto& ids : all) {
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) counts[{ids[i], ids[i + 1]}] += 1;
    }
    const auto best = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
    if (best == counts.end() || best->second < 2) break;
    for (auto& ids : all) {
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        if (std::pair(ids[i], ids[i + 1]) != best->first) continue;
        ids[i] = made;
        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
  }
  return all;
}

}  // namespace

TEST_CASE("captions are cleaned as open_clip cleans them", "[bpe]") {
  const auto [caption, cleaned] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {" \t\n ", ""},
      {"  A Photo\r\nof\u00a0a\u3000DOG. ", "a photo of a dog."},
      {"\u201cit\u2019s\u201d \u02bcquoted\u02bc", "\"it's\" 'quoted'"},
      {"\ufb01ne \ufb02u\ufb03 \ufb05 \u0133 \u01c4 \u0149", "fine fluffi \u017ft ij d\u017e 'n"},
      {"\uff26\uff35\uff2c\uff2c \uff76\uff9e \uffe5", "full \u30ac \u00a5"},
      {"\x1b[36;1mblue\x1b[0m, \x1b[ no", "blue, [ no"},
      {"a\x01\x7f\ufeff\u206a\ufffc"
       "b",
       "ab"},
      {"\u0093quoted\u0094 \u0080 \u0085 \u0081", "\"quoted\" \u20ac \u2026 \u0081"},
      {"e\u0301 A\u030a \u1100\u1161", "\u00e9 \u00e5 \uac00"},
      {"\u0130I\u0131 \u1e9e \u212a", "i\u0307i\u0131 \u00df k"},
      {"\u039f\u0394\u039f\u03a3 \u03a3 \u039f\u03a3. \u039f\u03a3.\u0391 a\u0301\u03a3\u0301",
       "\u03bf\u03b4\u03bf\u03c2 \u03c3 \u03bf\u03c2. \u03bf\u03c3.\u03b1 \u00e1\u03c2\u0301"},
  }));
  CAPTURE(caption);
  CHECK(clean_caption(caption) == cleaned);
}

TEST_CASE("HTML entities are replaced, with and without semicolon, in capitals, and twice over", "[bpe]") {
  const auto [caption, cleaned] = GENERATE(table<std::string, std::string>({
      {"salt &amp; pepper &LT; &gt", "salt & pepper < >"},
      {"&amp;amp;amp;amp;lt;", "<"},
      {"P&EACUTE;REZ &SZLIG; &nTILDE;", "p\u00e9rez ss &ntilde;"},
      {"&#233;&#xe9;&#XE9 &#128; &#0;&#xD800; &#x110000; &#99999999999999999999;",
       "\u00e9\u00e9\u00e9 \u20ac \ufffd\ufffd \ufffd \ufffd"},
      {"a&#1;b&#xfffe;c", "abc"},
      {"&notit; &notin; &no &; &#; &#x; & R&D", "\u00acit; \u2209 &no &; &#; &#x; & r&d"},
      {"&CounterClockwiseContourIntegral;", "\u2233"},
      {"&rsquo;", "'"},
      {"<b> &rsquo;", "<b> \u2019"},  // ftfy leaves HTML alone, so that only its entities are replaced
      {"&rsquo;\n<b>\n&rsquo;", "' <b> \u2019"},
  }));
  CAPTURE(caption);
  CHECK(clean_caption(caption) == cleaned);
}

TEST_CASE("bytes that are not UTF-8 become as many replacement characters as in Python", "[bpe]") {
  const auto [caption, count] = GENERATE(table<std::string, int>({
      {"\xff", 1},
      {"\xe2\x82", 1},
      {"\xe2\x28", 1},
      {"\xf0\x9f\x98", 1},
      {"\xe0\x80\x80", 3},
      {"\xed\xa0\x80", 3},
      {"\xf4\x90\x80\x80", 4},
      {"\xc3\xc3", 2},
  }));
  std::string expected;
  for (int i = 0; i < count; ++i) expected += "\ufffd";
  if (caption.ends_with('\x28')) expected += "(";
  CHECK(clean_caption(caption) == expected);
}

TEST_CASE("captions are split into letters, single digits and the rest", "[bpe]") {
  CHECK(bpe_words("a photo, 2024: the dog's (we'll) \u00bd!") ==
        Words{"a", "photo", ",", "2", "0", "2", "4", ":", "the", "dog", "'s", "(", "we", "'ll", ")", "\u00bd", "!"});
  CHECK(bpe_words("'start 'x it''s '\u017f") == Words{"'s", "tart", "'", "x", "it", "''", "s", "'\u017f"});
  CHECK(bpe_words("e\u0301t\u00e9 \u4e2d\u6587 \U0001f44d\U0001f3fd") ==
        Words{"e", "\u0301", "t\u00e9", "\u4e2d\u6587", "\U0001f44d\U0001f3fd"});
  CHECK(bpe_words("a<start_of_text>b <<end_of_text>") ==
        Words{"a", "<start_of_text>", "b", "<<", "end", "_", "of", "_", "text", ">"});
  CHECK(bpe_words("b\u0345c") == Words{"b", "c"});
  CHECK(bpe_words(" ").empty());
}

TEST_CASE("bytes are tokens without any merge", "[bpe]") {
  const auto pairs = BytePairs::train({}, 0);
  CHECK(pairs.size() == 514);
  CHECK(pairs.start() == 512);
  CHECK(pairs.end() == 513);
  CHECK(pairs.encode("!!") == Ids{0, kEndsWord});
  CHECK(pairs.encode("Ab \u00e9") == Ids{id_of('a'), id_of('b') + kEndsWord, 127, 102 + kEndsWord});
  CHECK(pairs.encode(" ").empty());
}

TEST_CASE("pairs are merged by falling count, ties by lower ids, until none occurs twice", "[bpe]") {
  const Words captions = {"cd ab", "cd ab xy", "aaaa aaaa ef"};
  const auto one = BytePairs::train(captions, 515);
  CHECK(one.size() == 515);
  CHECK(one.encode("aaaa") == Ids{512, id_of('a'), id_of('a') + kEndsWord});
  const auto pairs = BytePairs::train(captions, 10'000);
  CHECK(pairs.size() == 514 + 5);  // aa, a(a), (aa)(aa), ab, cd
  CHECK(pairs.encode("ab") == Ids{513 + 1});
  CHECK(pairs.encode("cd") == Ids{515});
  CHECK(pairs.encode("aaaa") == Ids{516});
  CHECK(pairs.encode("xy") == Ids{id_of('x'), id_of('y') + kEndsWord});
}

TEST_CASE("trained pairs are those of counting anew after each merge, in any order of captions", "[bpe]") {
  std::uint32_t state = 1;
  Words words;
  for (int i = 0; i < 300; ++i) {
    auto& word = words.emplace_back();
    do {
      state = state * 1664525 + 1013904223;
      word += static_cast<char>('a' + (state >> 16) % 3);
    } while ((state >> 24) % 6 != 0);
  }
  for (const std::int64_t merges : {1, 7, 60}) {
    const auto expected = merged_slowly(words, merges);
    const auto forth = BytePairs::train(words, 514 + merges);
    const auto back = BytePairs::train(Words(words.rbegin(), words.rend()), 514 + merges);
    CHECK(forth.size() == 514 + merges);
    for (std::size_t i = 0; i < words.size(); ++i) {
      CAPTURE(words[i]);
      CHECK(forth.encode(words[i]) == expected[i]);
      CHECK(back.encode(words[i]) == expected[i]);
    }
  }
}

TEST_CASE("a tokenizer of byte pairs frames captions, cuts long ones and never gives padding an id", "[bpe]") {
  const BpeTokenizer tokenizer(BytePairs::train(Words{"ab ab"}, 515), /*trained=*/true);
  const std::int64_t start = 1 + 513, end = 1 + 514;
  CHECK(tokenizer.ids().first == 1);
  CHECK(tokenizer.ids().count == 515);
  const auto tokens = tokenizer.tokenize(Words{"ab", "", "! ab ab ab"}, 4);
  CHECK(tokens.dtype() == torch::kLong);
  CHECK(row_of(tokens, 0) == Ids{start, 513, end, 0});
  CHECK(row_of(tokens, 1) == Ids{start, end, 0, 0});
  CHECK(row_of(tokens, 2) == Ids{start, 1 + kEndsWord, 513, end});
  CHECK(row_of(tokenizer.tokenize(Words{"ab"}, 77), 0) == Ids{start, 513, end});
  CHECK(row_of(tokenizer.tokenize(Words{"ab"}, 1), 0) == Ids{end});
}

TEST_CASE("what follows the end of a caption in its text is left out", "[bpe]") {
  const BpeTokenizer tokenizer(BytePairs::train({}, 514), /*trained=*/true);
  const std::vector<std::string> cut = {"a <end_of_text> b c"}, whole = {"a"};
  CHECK(tokenizer.tokenize(cut, 20).equal(tokenizer.tokenize(whole, 20)));
}

TEST_CASE("any other file than OpenAI's merges is refused", "[bpe]") {
  const ScratchFolder folder;
  const auto refused = [](const std::filesystem::path& file, const std::string& why) {
    try {
      BytePairs::openai(file);
      FAIL("not refused");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kData);
      CHECK_THAT(error.what(), Catch::Contains(file.string()) && Catch::Contains(why) &&
                                   Catch::Contains("bpe_simple_vocab_16e6.txt.gz"));
    }
  };
  refused(folder / "none", "No such file");
  refused(folder.path(), "expected");
  refused(folder.write("plain", "#version: 0.2\ni n\n"), hash_hex("#version: 0.2\ni n\n"));
  const auto zipped = folder / "zipped";
  const auto output = ::gzopen(zipped.c_str(), "wb");
  ::gzputs(output, "#version: 0.2\ni n\n");
  ::gzclose(output);
  refused(zipped, hash_hex("#version: 0.2\ni n\n"));
  std::filesystem::resize_file(zipped, std::filesystem::file_size(zipped) - 9);
  refused(zipped, "got");
}

TEST_CASE("the merges of open_clip are those of the python3 on the path, or none", "[bpe]") {
  const ScratchFolder folder;
  const std::string path = std::getenv("PATH");
  const auto find = [&](const std::string& printed) {
    const auto python = folder.write("bin/python3", "#!/bin/sh\n" + printed + "\n");
    std::filesystem::permissions(python, std::filesystem::perms::owner_all);
    setenv("PATH", python.parent_path().c_str(), 1);
    try {
      const auto found = installed_merges();
      setenv("PATH", path.c_str(), 1);
      return found.string();
    } catch (const Error& error) {
      setenv("PATH", path.c_str(), 1);
      CHECK(error.kind() == ErrorKind::kMatrix);
      return std::string(error.what());
    }
  };
  const auto module = folder.write("open_clip/__init__.py", "");
  CHECK_THAT(find("exit 1"), Catch::Contains("pip install open_clip_torch"));
  CHECK_THAT(find("echo '" + module.string() + "'"), Catch::Contains("pip install open_clip_torch"));
  const auto merges = folder.write("open_clip/bpe_simple_vocab_16e6.txt.gz", "");
  CHECK(find("echo '" + module.string() + "'") == merges.string());
}
