#include "harness/data/csv.h"

#include <string_view>

#include "roclip/error.h"

namespace roclip::bench {

CsvReader::CsvReader(std::istream& in, char delimiter) : in_(in), delimiter_(delimiter) {
  char mark[3];
  if (in_.read(mark, sizeof mark) && std::string_view(mark, sizeof mark) == "\xEF\xBB\xBF") return;
  in_.clear();
  in_.seekg(0);
}

bool CsvReader::next(std::vector<std::string>& record) {
  while (in_.peek() == '\n' || in_.peek() == '\r') line_ += in_.get() == '\n';
  if (in_.peek() == std::istream::traits_type::eof()) return false;
  record_line_ = line_;
  record.assign(1, "");
  bool quoted = false, at_start = true;
  char c;
  while (in_.get(c)) {
    line_ += c == '\n';
    if (quoted) {
      if (c != '"') {
        record.back() += c;
      } else if (in_.peek() == '"') {
        record.back() += static_cast<char>(in_.get());
      } else {
        quoted = false;
      }
    } else if (c == '"' && at_start) {
      quoted = true;
      at_start = false;
    } else if (c == delimiter_) {
      record.emplace_back();
      at_start = true;
    } else if (c == '\n') {
      return true;
    } else if (c != '\r' || in_.peek() != '\n') {
      record.back() += c;
      at_start = false;
    }
  }
  if (quoted) {
    throw Error(ErrorKind::kData, "line " + std::to_string(record_line_) + ": a quoted field that is never closed");
  }
  return true;
}

}  // namespace roclip::bench
