/// Random numbers that are the same on every machine and can be saved as one integer.
///
/// Every consumer of randomness owns a stream, `stream(seed, role)`. The role never names the defense, so all
/// defenses of a seed meet the same poisons, the same initial weights and the same order of samples: their cells are
/// paired. Standard-library distributions are not used, because their values differ between implementations.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <torch/types.h>

namespace roclip {

/// The roles that the harness hands out. A plugin may add its own by name.
namespace role {
inline constexpr std::string_view kPoison = "poison";
inline constexpr std::string_view kInit = "init";
inline constexpr std::string_view kOrder = "order";
inline constexpr std::string_view kAugmentation = "augmentation";
inline constexpr std::string_view kDefense = "defense";
inline constexpr std::string_view kEvaluation = "evaluation";
}  // namespace role

/// The 64-bit seed of one consumer. @param seed the seed of the cell, as written in the matrix file.
std::uint64_t stream(std::uint64_t seed, std::string_view role);

/// splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators"). One 64-bit word of state.
/// Not thread-safe: one per thread.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next();
  /// Uniform in [0, n). @pre n > 0. Unbiased (rejection).
  std::int64_t below(std::int64_t n);
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  bool chance(double probability) { return uniform() < probability; }
  /// k different values of [0, n), in random order. @pre 0 <= k <= n. O(n).
  std::vector<std::int64_t> sample(std::int64_t n, std::int64_t k);
  /// A generator for tensor operations, on the CPU, seeded by the next word of this stream. Draw there and move the
  /// values to the device: so that a cell on a GPU meets the same random numbers as one on the CPU.
  at::Generator generator();

  std::uint64_t state() const { return state_; }
  void set_state(std::uint64_t state) { state_ = state; }

 private:
  std::uint64_t state_;
};

}  // namespace roclip
