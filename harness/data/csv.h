/// Comma-separated values, RFC 4180: fields in double quotes may hold delimiters, line breaks and doubled quotes.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

namespace roclip::bench {

/// Reads records one by one. Lines end with LF or CRLF; empty lines are passed over; a byte order mark is dropped.
class CsvReader {
 public:
  /// @param in seekable, at its beginning
  CsvReader(std::istream& in, char delimiter);
  /// @return false at the end. @throws Error(kData) "line 7: ..." for a quote that is never closed.
  bool next(std::vector<std::string>& record);
  /// Line on which the last record began, from 1.
  std::int64_t line() const { return record_line_; }

 private:
  std::istream& in_;
  char delimiter_;
  std::int64_t line_ = 1, record_line_ = 1;
};

}  // namespace roclip::bench
