/// The user's own data: a table of images and captions, and labelled images to judge by. README.md lists the keys.
#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/data/collection.h"

namespace roclip::bench {

/// Validates {"reader": "csv", ...}, makes paths absolute and fills in the defaults. @throws Error(kMatrix)
Json effective_csv(const Json& data, const std::filesystem::path& base, const std::string& where);

/// The packed file in the cache. Its name has a hash of the keys and of size and time of the tables and folders; a
/// changed image alone is not noticed. @throws Error(kData) if a table or folder is missing.
std::filesystem::path csv_file(const Json& effective);

/// Reads tables and folders; decodes nothing yet. @throws Error(kData)
Collection read_csv_data(const Json& effective);

/// Reads comma-separated values (RFC 4180) record by record: fields in double quotes may hold delimiters, line breaks
/// and doubled quotes. Lines end with LF or CRLF; empty lines are passed over; a byte order mark is dropped.
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
