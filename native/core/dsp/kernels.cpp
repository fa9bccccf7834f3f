#include "kernels.hpp"

// SSE2 and NEON, which every processor of the platforms has.
#define ZEROCAST_DSP_LANES 4
#include "kernel-loops.hpp"

namespace zerocast::dsp {

const Kernels baselineKernels = loops("baseline");

const Kernels& kernels() noexcept {
#ifdef ZEROCAST_DSP_AVX2
  static const bool hasAvx2 = __builtin_cpu_supports("avx2") != 0;
  if (hasAvx2) return avx2Kernels;
#endif
  return baselineKernels;
}

}  // namespace zerocast::dsp
