#pragma once

#include "dsp/kernels.hpp"

namespace zerocast::dsp {

extern const Kernels scalarKernels;

}  // namespace zerocast::dsp
