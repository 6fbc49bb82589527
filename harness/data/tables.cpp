#include "harness/data/tables.h"

#include <algorithm>
#include <string_view>

#include <boost/algorithm/string/join.hpp>

#include "harness/record/files.h"
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

Table::Table(const std::filesystem::path& file, const std::string& delimiter)
    : file_(file), in_(file, std::ios::binary) {
  if (!in_) throw Error(ErrorKind::kData, file.string() + ": cannot be read");
  const auto extension = file.extension();
  const bool tabs = delimiter.empty() ? extension == ".tsv" || extension == ".tab" : delimiter == "\t";
  reader_.emplace(in_, tabs ? '\t' : delimiter.empty() ? ',' : delimiter[0]);
  next(header_);
}

std::size_t Table::column(const std::string& wanted, std::vector<std::string> usual, const char* key) const {
  if (!wanted.empty()) usual = {wanted};
  for (const auto& name : usual) {
    const auto found = std::ranges::find(header_, name);
    if (found != header_.end()) return static_cast<std::size_t>(found - header_.begin());
  }
  throw Error(ErrorKind::kData, file_.string() + ": no column \"" + boost::join(usual, "\" or \"") +
                                    "\" (columns: " + boost::join(header_, ", ") + "); set \"" + key + "\"");
}

bool Table::next(std::vector<std::string>& record) {
  try {
    return reader_->next(record);
  } catch (const Error& e) {
    refuse(file_, e.what());
  }
}

std::string Table::place() const { return file_.filename().string() + ": line " + std::to_string(reader_->line()); }

}  // namespace roclip::bench
