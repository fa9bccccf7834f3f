#include "kernels.hpp"

// SSE2 and NEON, which every processor of the platforms has.
#define ZEROCAST_DSP_LANES 4
#include "kernel-loops.hpp"

namespace zerocast::dsp {

const Kernels baselineKernels = loops("baseline");

const Kernels& kernels() noexcept { return baselineKernels; }

}  // namespace zerocast::dsp
