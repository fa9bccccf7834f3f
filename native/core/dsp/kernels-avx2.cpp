// The kernels for processors with AVX2, which only they may run: see `kernels`.

#if defined(__x86_64__)

// What other files use too must not be compiled for AVX2: included before it is switched on.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels.hpp"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#define ZEROCAST_DSP_LANES 8
#include "kernel-loops.hpp"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace zerocast::dsp {

const Kernels avx2Kernels = loops("avx2");

}  // namespace zerocast::dsp

#endif
