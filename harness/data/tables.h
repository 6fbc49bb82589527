/// Tables of comma- or tab-separated values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <istream>
#include <optional>
#include <string>
#include <vector>

namespace roclip::bench {

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

/// A file of records under a header.
class Table {
 public:
  /// @param delimiter one character; empty: a tab for *.tsv and *.tab, else a comma. @throws Error(kData)
  Table(const std::filesystem::path& file, const std::string& delimiter);

  /// Which column `wanted` is, or, if that is empty, the first of `usual` that exists.
  /// @param key the user's key that names the column. @throws Error(kData) that lists the columns
  std::size_t column(const std::string& wanted, std::vector<std::string> usual, const char* key) const;
  /// @return false at the end. @throws Error(kData)
  bool next(std::vector<std::string>& record);
  /// "pairs.csv: line 7"
  std::string place() const;

 private:
  std::filesystem::path file_;
  std::ifstream in_;
  std::optional<CsvReader> reader_;
  std::vector<std::string> header_;
};

}  // namespace roclip::bench
