/// Marks a function whose loops are compiled for several generations of processors; the right one is chosen when the
/// program is loaded. Equal bits on one machine, not between machines of different generations.
#pragma once

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define ROCLIP_SIMD __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define ROCLIP_SIMD
#endif
