#include "harness/record/files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr const char* kTemporary = ".tmp";  // and the writer's process id

[[noreturn]] void fail(const fs::path& file, const std::string& what) {
  throw Error(ErrorKind::kData, file.string() + ": " + what + ": " + std::strerror(errno));
}

}  // namespace

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in || fs::is_directory(file)) {
    if (in) errno = EISDIR;
    fail(file, "cannot be read");
  }
  std::ostringstream content;
  content << in.rdbuf();
  return std::move(content).str();
}

bool write_all(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const auto written = ::write(descriptor, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void write_file(const fs::path& file, std::string_view content, Flush flush) {
  const fs::path temporary = file.string() + kTemporary + std::to_string(::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) fail(file, "cannot be written");
  const auto give_up = [&] {
    const int reason = errno;
    ::close(fd);
    ::unlink(temporary.c_str());
    errno = reason;
    fail(file, "cannot be written");
  };
  if (!write_all(fd, content)) give_up();
  if (flush == Flush::kYes && ::fsync(fd) != 0) give_up();
  ::close(fd);
  if (::rename(temporary.c_str(), file.c_str()) != 0) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    errno = reason;
    fail(file, "cannot be written");
  }
}

std::string to_text(const Json& json, const std::string& indent) {
  if (!json.is_structured() || json.empty() || (json.is_array() && std::ranges::none_of(json, &Json::is_structured))) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  const std::string deeper = indent + "  ";
  std::string text(1, json.is_object() ? '{' : '[');
  for (auto item = json.begin(); item != json.end(); ++item) {
    text += (item == json.begin() ? "\n" : ",\n") + deeper;
    if (json.is_object()) text += Json(item.key()).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
    text += to_text(*item, deeper);
  }
  return text + "\n" + indent + (json.is_object() ? '}' : ']');
}

void write_json(const fs::path& file, const Json& json, Flush flush) { write_file(file, to_text(json) + "\n", flush); }

bool is_temporary(const fs::path& file) {
  const auto name = file.filename().string();
  const auto mark = name.rfind(kTemporary);
  const auto digits = mark == std::string::npos ? mark : mark + std::string_view(kTemporary).size();
  return mark != std::string::npos && digits < name.size() &&
         name.find_first_not_of("0123456789", digits) == std::string::npos;
}

}  // namespace roclip::bench
