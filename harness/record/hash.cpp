#include "harness/record/hash.h"

#include <array>
#include <cstdio>

#include <xxhash.h>

#include "harness/record/files.h"

namespace roclip::bench {

std::string hash_hex(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  std::array<char, 33> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text.data();
}

std::string hash_file(const std::filesystem::path& file) { return hash_hex(read_file(file)); }

}  // namespace roclip::bench
