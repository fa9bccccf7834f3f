#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace zerocast::dsp {

// Fourier transform and mel spectrum. Plans are made in src/dsp/fft-plan.ts and mel-plan.ts, which
// tell what lies where in them; they hold the memory to work in, so nothing is allocated.
//
// Threads: any, one at a time per plan.

// The size of a transform; 0 when the plan is none.
std::size_t fftSize(std::span<const float> plan) noexcept;

// `samples` has as many numbers as the size of the plan, `out` two more.
void realFft(std::span<float> plan, std::span<const float> samples, std::span<float> out) noexcept;

// What to make of audio, taken from a shape that was checked.
struct MelShape {
  std::size_t window = 0;
  std::size_t hop = 0;
  std::size_t bands = 0;
  std::int32_t scale = 0;
  bool isCentred = false;
  // First bin and number of bins of each band.
  std::span<const std::int32_t> filters;
};

// Whether shape and tables fit each other: `melRows` relies on it.
bool readMelShape(std::span<const std::int32_t> shape, std::span<const float> tables,
                  MelShape& found) noexcept;

// How many rows so many samples make; 0 when they are too few.
std::size_t melRowCount(const MelShape& shape, std::size_t samples) noexcept;

// Writes all rows, one behind the other, into `out`, which has room for exactly these.
void melRows(const MelShape& shape, std::span<float> tables, std::span<const float> samples,
             std::span<float> out) noexcept;

}  // namespace zerocast::dsp
