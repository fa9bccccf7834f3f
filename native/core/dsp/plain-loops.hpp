#pragma once

#include <cstddef>
#include <cstdint>

namespace zerocast::dsp {

// Loops over samples that longer vectors do not make faster: compiled once. For their arguments see
// `Kernels`.
//
// Threads: any.

// Channel by channel what is picked; a negative pick is the mean of all channels.
void pickChannels(const float* samples, std::size_t channels, std::size_t frames,
                  const std::int32_t* picks, std::size_t width, float* out) noexcept;

// Ten coefficients of two filters, then four delayed values per channel.
constexpr std::size_t filterHeader = 10;
constexpr std::size_t filterChannelNumbers = 4;

// The squares of what two filters in a row let pass.
void filteredSquares(double* state, const float* samples, std::size_t channels, std::size_t count,
                     double* out) noexcept;

}  // namespace zerocast::dsp
