/// Marks a function whose loops are compiled for several generations of processors; the right one is chosen when the
/// program is loaded. Equal bits on one machine, not between machines of different generations.
///
/// Named by what they can do (x86-64-v4: AVX-512, v3: AVX2 and FMA), because a name such as "arch=haswell" fits that
/// one model only: on any other processor the slow default would run.
#pragma once

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ROCLIP_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ROCLIP_SIMD
#endif
