#include "harness/poison/shards.h"

#include <cstring>

#include <archive.h>
#include <archive_entry.h>

#include "roclip/error.h"

namespace roclip::bench {

TarFile::TarFile(std::filesystem::path file) : file_(std::move(file)), archive_(archive_write_new()) {
  archive_write_set_format_ustar(archive_);
  check(archive_write_open_filename(archive_, file_.c_str()));
}

TarFile::~TarFile() { archive_write_free(archive_); }

void TarFile::add(const std::string& name, std::string_view content) {
  const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(), &archive_entry_free);
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  archive_entry_set_mtime(entry.get(), 0, 0);
  check(archive_write_header(archive_, entry.get()));
  check(archive_write_data(archive_, content.data(), content.size()));
}

void TarFile::finish() { check(archive_write_close(archive_)); }

void TarFile::check(long result) const {
  if (result >= ARCHIVE_OK) return;
  throw Error(ErrorKind::kData, file_.string() + ": cannot be written: " + std::strerror(archive_errno(archive_)));
}

}  // namespace roclip::bench
