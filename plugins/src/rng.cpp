#include "roclip/rng.h"

#include <numeric>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

std::uint64_t stream(std::uint64_t seed, std::string_view role) {
  std::uint64_t name = 0xcbf29ce484222325ULL;  // FNV-1a of the role
  for (const unsigned char c : role) name = (name ^ c) * 0x100000001b3ULL;
  return mix(mix(seed + 0x9e3779b97f4a7c15ULL) ^ name);
}

std::uint64_t Rng::next() { return mix(state_ += 0x9e3779b97f4a7c15ULL); }

std::int64_t Rng::below(std::int64_t n) {
  const auto bound = static_cast<std::uint64_t>(n);
  const std::uint64_t reject_below = (0 - bound) % bound;  // 2^64 mod n
  std::uint64_t word = next();
  while (word < reject_below) word = next();
  return static_cast<std::int64_t>(word % bound);
}

double Rng::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::vector<std::int64_t> Rng::sample(std::int64_t n, std::int64_t k) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 0);
  for (std::int64_t i = 0; i < k; ++i) {
    const auto j = i + below(n - i);
    std::swap(values[static_cast<std::size_t>(i)], values[static_cast<std::size_t>(j)]);
  }
  values.resize(static_cast<std::size_t>(k));
  return values;
}

at::Generator Rng::generator() { return at::detail::createCPUGenerator(next()); }

}  // namespace roclip
