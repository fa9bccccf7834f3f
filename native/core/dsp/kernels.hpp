#pragma once

#include <cstddef>
#include <cstdint>

namespace zerocast::dsp {

// How integers lie in bytes: signed, little-endian; 24 bits in four bytes, or packed in three.
enum class Layout : std::uint8_t { s8, s16, s24, s24Packed, s32 };

constexpr std::size_t bytesOf(Layout layout) noexcept {
  constexpr std::size_t bytes[] = {1, 2, 4, 3, 4};
  return bytes[static_cast<std::size_t>(layout)];
}

constexpr std::size_t maxChannels = 64;

constexpr std::size_t truePeakTaps = 12;
constexpr std::size_t truePeakHistoryFrames = truePeakTaps - 1;

// The loops over samples, once for each kind of processor. Samples are interleaved float32; `count`
// is their number in all channels, a whole number of frames; `out` of meters has one number per
// channel. Nothing is kept and nothing allocated; memory may be unaligned, but not overlap.
//
// Threads: any.
struct Kernels {
  // What they were compiled for: "scalar" has no vectors.
  const char* name;

  void (*toFloat)(const std::byte* pcm, Layout layout, float* out, std::size_t count) noexcept;
  // `dither` is the serial number of the next noise, or null.
  void (*fromFloat)(const float* samples, std::byte* out, Layout layout, std::size_t count,
                    std::uint32_t* dither) noexcept;
  void (*saturatingAdd)(std::byte* target, const std::byte* source, Layout layout,
                        std::size_t count) noexcept;
  // From gain to gain in decibels, frame by frame.
  void (*gainRamp)(float* samples, std::size_t channels, std::size_t count, double from,
                   double to) noexcept;
  void (*mix)(float* target, const float* source, std::size_t count, float gain) noexcept;
  void (*peak)(const float* samples, std::size_t channels, std::size_t count, double* out) noexcept;
  void (*squares)(const float* samples, std::size_t channels, std::size_t count,
                  double* out) noexcept;
  // `history` is `truePeakHistoryFrames` frames, oldest first.
  void (*truePeak)(float* history, const float* samples, std::size_t channels, std::size_t count,
                   double* out) noexcept;
};

// The fastest ones that this processor can run.
const Kernels& kernels() noexcept;

extern const Kernels baselineKernels;
#if defined(__x86_64__)
#define ZEROCAST_DSP_AVX2
extern const Kernels avx2Kernels;
#endif

}  // namespace zerocast::dsp
