// The kernels without vectors, as a yardstick for those of the addon.

#include "dsp-scalar.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "dsp/kernels.hpp"

#pragma GCC optimize("no-tree-vectorize", "no-tree-slp-vectorize")
#define ZEROCAST_DSP_LANES 1
#include "dsp/kernel-loops.hpp"

namespace zerocast::dsp {

const Kernels scalarKernels = loops("scalar");

}  // namespace zerocast::dsp
