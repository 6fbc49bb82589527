#include "harness/record/files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "harness/record/text.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTemporary = ".tmp";  // and a random number

[[noreturn]] void fail(const fs::path& file, const std::string& what) {
  throw Error(ErrorKind::kData, file.string() + ": " + what + ": " + std::strerror(errno));
}

/// Whether the name stands for an open file of this process: /dev/stdout leads to one. It looks like a link.
bool is_descriptor(const fs::path& file) {
  return file.string().starts_with("/proc/") || file.string().starts_with("/dev/fd/");
}

/// The file that a chain of links leads to, which may not be there yet.
fs::path behind_links(const fs::path& name) {
  constexpr int kMostLinks = 40;  // as Linux has it
  fs::path file = name;
  for (int links = 0; links <= kMostLinks; ++links) {
    std::error_code no_link;
    const auto target = fs::read_symlink(file, no_link);
    if (no_link || is_descriptor(file)) return file;
    file = file.parent_path() / target;
  }
  errno = ELOOP;
  fail(name, "cannot be written");
}

/// Makes a file of a name that nobody can guess, open for writing. @param descriptor -1, with errno, if that fails
fs::path new_file_beside(const fs::path& file, int& descriptor) {
  constexpr std::size_t kLongestFront = 200;  // a file name may have 255 bytes
  const std::string front = file.filename().string().substr(0, kLongestFront) + std::string(kTemporary);
  std::random_device random;
  for (;;) {
    const auto number = (std::uint64_t{random()} << 32) | random();
    const fs::path temporary = file.parent_path() / (front + std::to_string(number));
    descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor >= 0 || errno != EEXIST) return temporary;
  }
}

/// Builds a value from what nlohmann's parser finds, and refuses what that parser lets pass.
class StrictReader : public Json::json_sax_t {
 public:
  explicit StrictReader(std::streambuf& text) : text_(text) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(Json::number_integer_t value) override { return put(value); }
  bool number_unsigned(Json::number_unsigned_t value) override { return put(value); }
  bool number_float(double value, const std::string& written) override {
    const bool is_integer = written.find_first_of(".eE") == std::string::npos;
    const auto digits = written.substr(0, written.find_first_of("eE"));
    const bool underflows = value == 0 && digits.find_first_of("123456789") != std::string::npos;
    return is_integer || underflows ? refuse(out_of_range(written)) : put(value);
  }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(Json::binary_t& value) override { return put(std::move(value)); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    auto& members = open_.back()->get_ref<Json::object_t&>();
    const auto [member, is_new] = members.try_emplace(name);
    member_ = &member->second;
    return is_new ||
           refuse("the key " + shown(name) + " stands twice in one object; expected it once, so delete one of them");
  }
  bool parse_error(std::size_t, const std::string& token, const Json::exception& error) override {
    constexpr int kNumberOverflow = 406;
    const std::string told = error.what();
    if (error.id == kNumberOverflow) return refuse(out_of_range(token));
    if (told.find("UTF-8") != told.npos) return refuse("is not JSON: a string is not UTF-8; save the file as UTF-8");
    const bool has_comma = told.find("unexpected ']'") != told.npos || told.find("unexpected '}'") != told.npos;
    const auto what = told.find("syntax error");
    return refuse("is not JSON: " + (what == told.npos ? told : told.substr(what)) +
                  (has_comma ? "; is there a comma before it?" : ""));
  }

  Json take() { return std::move(root_); }
  const std::string& refusal() const { return refusal_; }
  std::size_t position() const { return position_; }

 private:
  static std::string shown(const std::string& text) { return Json(text).dump(-1, ' ', /*ensure_ascii=*/true); }
  static std::string out_of_range(const std::string& number) {
    return "the number " + number + " is out of range; expected an integer of 64 bits or a finite double";
  }
  bool refuse(const std::string& why) {
    position_ = static_cast<std::size_t>(text_.pubseekoff(0, std::ios::cur, std::ios::in));
    refusal_ = why;
    return false;
  }
  Json& place() {
    if (open_.empty()) return root_;
    return open_.back()->is_array() ? open_.back()->emplace_back() : *member_;
  }
  bool put(Json value) {
    place() = std::move(value);
    return true;
  }
  bool open(Json container) {
    Json& here = place() = std::move(container);
    open_.push_back(&here);
    return open_.size() <= kDeepestJson ||
           refuse("is nested deeper than " + std::to_string(kDeepestJson) + " levels; expected at most as many");
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::streambuf& text_;
  Json root_;
  std::vector<Json*> open_;  ///< arrays and objects around the next value, outermost first
  Json* member_ = nullptr;   ///< place of the next value, if in an object
  std::string refusal_;
  std::size_t position_ = 0;
};

}  // namespace

void refuse(const fs::path& file, const std::string& reason) {
  throw Error(ErrorKind::kData, file.string() + ": " + reason);
}

std::string show_bytes(double bytes) {
  constexpr const char* kUnits[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  for (; bytes >= 999.5 && unit + 1 < std::size(kUnits); bytes /= 1000) ++unit;
  return format(unit > 0 && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes, kUnits[unit]);
}

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

void write_file(const fs::path& name, std::string_view content, Flush flush) {
  struct stat there {};
  const bool exists = ::stat(name.c_str(), &there) == 0;
  const bool is_special = exists && !S_ISREG(there.st_mode);  // a device or a pipe: no file can take its place
  const fs::path file = is_special ? name : behind_links(name);
  const bool in_place = is_special || is_descriptor(file);
  fs::path temporary;
  int fd = -1;
  if (in_place) {
    fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  } else {
    temporary = new_file_beside(file, fd);
  }
  bool done = fd >= 0 && write_all(fd, content);
  if (!in_place) {
    if (exists) done = done && ::fchmod(fd, there.st_mode & 07777) == 0;
    if (flush == Flush::kYes) done = done && ::fsync(fd) == 0;
    done = done && ::rename(temporary.c_str(), file.c_str()) == 0;
  }
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  if (done) return;
  if (fd >= 0 && !in_place) ::unlink(temporary.c_str());
  errno = reason;
  fail(name, "cannot be written");
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

void for_each_below(const fs::path& folder, const std::function<void(const fs::directory_entry&)>& use) {
  try {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) use(entry);
  } catch (const fs::filesystem_error& e) {
    throw Error(ErrorKind::kData, e.path1().string() + ": cannot be read: " + e.code().message());
  }
}

bool is_temporary(const fs::path& file) {
  const auto name = file.filename().string();
  const auto mark = name.rfind(kTemporary);
  const auto digits = mark == std::string::npos ? mark : mark + kTemporary.size();
  return mark != std::string::npos && digits < name.size() &&
         name.find_first_not_of("0123456789", digits) == std::string::npos;
}

Json parse_json(const std::string& text, const std::string& name, ErrorKind kind) {
  std::istringstream stream(text);
  StrictReader reader(*stream.rdbuf());
  // The parser takes a NUL byte for the end of the text.
  const auto nul = text.find('\0');
  if (nul == text.npos &&
      Json::sax_parse(stream, &reader, Json::input_format_t::json, /*strict=*/true, /*ignore_comments=*/true)) {
    return reader.take();
  }
  const auto end = std::min(nul == text.npos ? reader.position() : nul + 1, text.size());
  const auto line_start = end == 0 ? text.npos : text.rfind('\n', end - 1);
  throw Error(kind,
              name + ": line " +
                  std::to_string(1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n')) +
                  ", column " + std::to_string(line_start == text.npos ? end : end - line_start - 1) + ": " +
                  (nul == text.npos ? reader.refusal() : "is not JSON: holds a NUL byte"));
}

Json read_json(const std::filesystem::path& file, ErrorKind kind) {
  return parse_json(read_file(file), file.string(), kind);
}

namespace {

std::string show_hash(const XXH128_hash_t& hash) {
  return format("%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
}

}  // namespace

std::string hash_hex(std::string_view bytes) { return show_hash(XXH3_128bits(bytes.data(), bytes.size())); }

std::string hash_file(const fs::path& file) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(), &XXH3_freeState);
  XXH3_128bits_reset(state.get());
  std::ifstream in(file, std::ios::binary);
  std::vector<char> block(1 << 20);  // the file may be larger than memory
  do {
    in.read(block.data(), std::ssize(block));
    XXH3_128bits_update(state.get(), block.data(), static_cast<std::size_t>(in.gcount()));
  } while (in);
  if (!in.eof()) return hash_hex(read_file(file));  // says why it cannot be read
  return show_hash(XXH3_128bits_digest(state.get()));
}

}  // namespace roclip::bench
