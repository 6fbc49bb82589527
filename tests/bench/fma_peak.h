/// What the arithmetic units of one core can do at most.
#pragma once

namespace roclip::bench {

/// f32 multiply-adds on registers alone, with the widest vectors that this processor has, counted as two operations
/// each. Takes about a tenth of a second. @return GFLOP/s
double fma_peak_gflops();

}  // namespace roclip::bench
