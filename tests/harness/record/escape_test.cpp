#include <catch2/catch.hpp>

#include "harness/record/escape.h"

using namespace roclip::bench;

TEST_CASE("control characters, stray bytes and marks of direction are shown instead of sent to a terminal",
          "[record]") {
  CHECK(escape_text("plain text, \xc3\xa9\xe2\x82\xac\xf0\x9f\x8d\x8e") ==
        "plain text, \xc3\xa9\xe2\x82\xac\xf0\x9f\x8d\x8e");
  CHECK(escape_text("a\x1b[2Jb\x07\x7f") == "a\\x1b[2Jb\\x07\\x7f");
  CHECK(escape_text("a\nb\tc") == "a b c");
  CHECK(escape_lines("a\nb\tc\r") == "a\nb\tc\\x0d");
  CHECK(escape_text("\xc2\x9b"
                    "31m") == "\\x9b31m");  // the one-character form of ESC [
  CHECK(escape_text("\x9b"
                    "31m") == "\\x9b31m");  // the same in an 8-bit terminal
  CHECK(escape_text("\xe2\x80\xae"
                    "abc") == "\\u202eabc");  // right to left from here
  CHECK(escape_text("\xc0\xaf\xed\xa0\x80\xe2\x82") == "\\xc0\\xaf\\xed\\xa0\\x80\\xe2\\x82");  // not UTF-8
}

TEST_CASE("each format of a report neutralises its own characters, and control characters", "[record]") {
  CHECK(escape_markdown("a|b_*`<[x](y)\\\x1b") == "a\\|b\\_\\*\\`&lt;[x\\](y)\\\\\\\\x1b");
  CHECK(escape_latex("50%_#\x1b\n") == "50\\%\\_\\#\\textbackslash{}x1b ");
  CHECK(escape_latex("<|>") == "\\textless{}\\textbar{}\\textgreater{}");
  CHECK(escape_xml("<a href='x'>&\x1b") == "&lt;a href=&#39;x&#39;&gt;&amp;\\x1b");
}

TEST_CASE("a spreadsheet takes no field of a report for a formula; a field for programs stays as it is", "[record]") {
  for (const char* formula : {"=1+1", "+1", "-1", "@SUM(A1)"}) {
    CHECK(spreadsheet_field(formula) == std::string("'") + formula);
    CHECK(csv_field(formula) == formula);
  }
  CHECK(spreadsheet_field("\t=1") == "' =1");
  CHECK(spreadsheet_field("=a,\"b\"") == "\"'=a,\"\"b\"\"\"");
  CHECK(spreadsheet_field("clip, a=1") == "\"clip, a=1\"");
  CHECK(csv_field("a\r") == "\"a\r\"");
}
