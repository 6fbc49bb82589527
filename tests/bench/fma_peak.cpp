#include "fma_peak.h"

#include <chrono>

namespace roclip::bench {

namespace {

template <int kLanes>
struct Lanes {
  typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));
};

/// Twelve chains, more than any processor has multiply-adds under way. @return operations done
template <int kLanes>
[[gnu::always_inline]] inline double chains(float factor, float summand, float* sink) {
  using Vector = typename Lanes<kLanes>::Vector;
  constexpr int kChains = 12, kRounds = 200000;
  Vector sums[kChains];
  for (int c = 0; c < kChains; ++c) sums[c] = Vector{} + static_cast<float>(c);
  for (int round = 0; round < kRounds; ++round) {
    for (int c = 0; c < kChains; ++c) sums[c] = sums[c] * factor + summand;
  }
  for (int c = 0; c < kChains; ++c) *sink += sums[c][0];
  return 2.0 * kLanes * kChains * kRounds;
}

using Chains = double (*)(float, float, float*);
#if defined(__x86_64__)
[[gnu::target("avx512f,fma")]] double chains_avx512(float a, float b, float* sink) { return chains<16>(a, b, sink); }
[[gnu::target("avx2,fma")]] double chains_avx2(float a, float b, float* sink) { return chains<8>(a, b, sink); }
#endif
double chains_any(float a, float b, float* sink) { return chains<4>(a, b, sink); }

Chains widest() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4")) return chains_avx512;
  if (__builtin_cpu_supports("x86-64-v3")) return chains_avx2;
#endif
  return chains_any;
}

}  // namespace

double fma_peak_gflops() {
  using Clock = std::chrono::steady_clock;
  static const auto run = widest();
  static volatile float factor = 0.999F, summand = 1e-3F;  // not known to the compiler
  float sink = 0;
  double operations = 0;
  const auto start = Clock::now();
  double seconds = 0;
  while (seconds < 0.1) {
    operations += run(factor, summand, &sink);
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  factor = factor + 0 * sink;  // the sums are needed
  return operations / seconds / 1e9;
}

}  // namespace roclip::bench
