#include "harness/data/tables.h"

#include <sstream>

#include <catch2/catch.hpp>

#include "roclip/error.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

using Record = std::vector<std::string>;

std::vector<Record> records(const std::string& text, char delimiter = ',') {
  std::istringstream in(text);
  CsvReader reader(in, delimiter);
  std::vector<Record> all;
  for (Record record; reader.next(record);) all.push_back(record);
  return all;
}

}  // namespace

TEST_CASE("quoted fields hold commas, quotes and line breaks", "[data][csv]") {
  CHECK(records("a.png,\"one, \"\"two\"\"\nthree\"\r\nb.png,four\n") ==
        std::vector<Record>{{"a.png", "one, \"two\"\nthree"}, {"b.png", "four"}});
}

TEST_CASE("a quote inside a plain field is a character", "[data][csv]") {
  CHECK(records("5\" nail,x") == std::vector<Record>{{"5\" nail", "x"}});
}

TEST_CASE("empty fields stay and empty lines go", "[data][csv]") {
  CHECK(records(",\n\r\n\n\"\",x,\n") == std::vector<Record>{{"", ""}, {"", "x", ""}});
  CHECK(records("").empty());
}

TEST_CASE("tabs delimit when told so", "[data][csv]") {
  CHECK(records("a,b\tc\n", '\t') == std::vector<Record>{{"a,b", "c"}});
}

TEST_CASE("a byte order mark is dropped, even before a quote", "[data][csv]") {
  CHECK(records("\xEF\xBB\xBF\"path\",x") == std::vector<Record>{{"path", "x"}});
  CHECK(records("\xEF\xBC\x81,x") == std::vector<Record>{{"\xEF\xBC\x81", "x"}});
}

TEST_CASE("a quote that is never closed names its line", "[data][csv]") {
  std::istringstream in("a,b\nc,\"d\ne\n");
  CsvReader reader(in, ',');
  Record record;
  REQUIRE(reader.next(record));
  CHECK(reader.line() == 1);
  CHECK_THROWS_WITH(reader.next(record), Catch::Contains("line 2"));
}
