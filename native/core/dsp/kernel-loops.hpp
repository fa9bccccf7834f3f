// The loops of `Kernels`, for the compiler to vectorise: included once per kind of processor, which
// says how many floats a vector has. Without contractions, and sums in the same order whatever the
// width, so that results do not depend on the processor.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels.hpp"

#ifndef ZEROCAST_DSP_LANES
#error "ZEROCAST_DSP_LANES says how many floats a vector has"
#endif

namespace zerocast::dsp {
namespace {

// Samples of a step of the loops that keep something per channel: several vectors, so that their
// latencies overlap, and always as many samples. A step must hold whole frames, so the other numbers
// of channels go one by one.
constexpr std::size_t lanes = ZEROCAST_DSP_LANES;
constexpr std::size_t step = 32;
constexpr std::size_t stepVectors = step / lanes;

bool fitsSteps(std::size_t channels) noexcept { return step % channels == 0; }

typedef float Vector __attribute__((vector_size(lanes * sizeof(float))));
typedef std::int32_t Bits __attribute__((vector_size(lanes * sizeof(std::int32_t))));

Vector load(const float* samples) noexcept {
  Vector vector;
  std::memcpy(&vector, samples, sizeof vector);
  return vector;
}

Vector magnitude(Vector vector) noexcept {
  Bits bits;
  std::memcpy(&bits, &vector, sizeof bits);
  bits &= 0x7fffffff;
  std::memcpy(&vector, &bits, sizeof bits);
  return vector;
}

// What is no number is never larger.
Vector largest(Vector one, Vector other) noexcept { return one > other ? one : other; }

// ------------------------------------------------------------------ integers and floats

// Conversions go by way of blocks of 32-bit integers, so that each step is compiled once, and not
// for every pair of layouts.
constexpr std::size_t blockSamples = 256;

template <typename Integer>
void widen(const std::byte* __restrict pcm, std::int32_t* __restrict out,
           std::size_t count) noexcept {
  for (std::size_t index = 0; index < count; ++index) {
    Integer sample;
    std::memcpy(&sample, pcm + index * sizeof sample, sizeof sample);
    out[index] = sample;
  }
}

template <typename Integer>
void narrow(const std::int32_t* __restrict samples, std::byte* __restrict out,
            std::size_t count) noexcept {
  for (std::size_t index = 0; index < count; ++index) {
    const auto sample = static_cast<Integer>(samples[index]);
    std::memcpy(out + index * sizeof sample, &sample, sizeof sample);
  }
}

void widenPacked(const std::byte* __restrict pcm, std::int32_t* __restrict out,
                 std::size_t count) noexcept {
  for (std::size_t index = 0; index < count; ++index) {
    const auto low = std::to_integer<std::uint32_t>(pcm[3 * index]);
    const auto middle = std::to_integer<std::uint32_t>(pcm[3 * index + 1]);
    const auto high = std::to_integer<std::uint32_t>(pcm[3 * index + 2]);
    out[index] = static_cast<std::int32_t>(low << 8 | middle << 16 | high << 24) >> 8;
  }
}

void narrowPacked(const std::int32_t* __restrict samples, std::byte* __restrict out,
                  std::size_t count) noexcept {
  for (std::size_t index = 0; index < count; ++index) {
    const std::int32_t sample = samples[index];
    out[3 * index] = static_cast<std::byte>(sample);
    out[3 * index + 1] = static_cast<std::byte>(sample >> 8);
    out[3 * index + 2] = static_cast<std::byte>(sample >> 16);
  }
}

void loadIntegers(const std::byte* pcm, Layout layout, std::int32_t* out,
                  std::size_t count) noexcept {
  switch (layout) {
    case Layout::s8:
      return widen<std::int8_t>(pcm, out, count);
    case Layout::s16:
      return widen<std::int16_t>(pcm, out, count);
    case Layout::s24Packed:
      return widenPacked(pcm, out, count);
    case Layout::s24:
    case Layout::s32:
      std::memcpy(out, pcm, count * sizeof *out);
  }
}

void storeIntegers(const std::int32_t* samples, std::byte* out, Layout layout,
                   std::size_t count) noexcept {
  switch (layout) {
    case Layout::s8:
      return narrow<std::int8_t>(samples, out, count);
    case Layout::s16:
      return narrow<std::int16_t>(samples, out, count);
    case Layout::s24Packed:
      return narrowPacked(samples, out, count);
    case Layout::s24:
    case Layout::s32:
      std::memcpy(out, samples, count * sizeof *samples);
  }
}

constexpr double fullScaleOf(Layout layout) noexcept {
  constexpr double scales[] = {0x1p7, 0x1p15, 0x1p23, 0x1p23, 0x1p31};
  return scales[static_cast<std::size_t>(layout)];
}

void scaleIntegers(const std::int32_t* __restrict samples, float* __restrict out, std::size_t count,
                   float scale) noexcept {
  for (std::size_t index = 0; index < count; ++index) {
    out[index] = static_cast<float>(samples[index]) * scale;
  }
}

void toFloat(const std::byte* pcm, Layout layout, float* out, std::size_t count) noexcept {
  const auto scale = static_cast<float>(1 / fullScaleOf(layout));
  std::int32_t block[blockSamples];
  for (std::size_t at = 0; at < count; at += blockSamples) {
    const std::size_t size = std::min(blockSamples, count - at);
    loadIntegers(pcm + at * bytesOf(layout), layout, block, size);
    scaleIntegers(block, out + at, size, scale);
  }
}

// From -1 to 1 with a triangular distribution, always the same for a number.
// Source: C. Wellons, "Prospecting for Hash Functions" (lowbias32).
double triangularNoise(std::uint32_t serial) noexcept {
  std::uint32_t hash = (serial ^ serial >> 16) * 0x7feb352dU;
  hash = (hash ^ hash >> 15) * 0x846ca68bU;
  hash ^= hash >> 16;
  const std::int32_t difference =
      static_cast<std::int32_t>(hash >> 16) - static_cast<std::int32_t>(hash & 0xffffU);
  return static_cast<double>(difference) / 65536.0;
}

// Halves to the even number; what is no number becomes 0.
template <bool dithers>
void roundSamples(const float* __restrict samples, std::int32_t* __restrict out, std::size_t count,
                  double scale, std::uint32_t serial) noexcept {
  constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
  const double lowest = -scale;
  const double highest = scale - 1;
  for (std::size_t index = 0; index < count; ++index) {
    double value = static_cast<double>(samples[index]) * scale;
    if constexpr (dithers) value += triangularNoise(serial + static_cast<std::uint32_t>(index));
    value = value > highest ? highest : value;
    value = value < lowest ? lowest : value;
    value = value == value ? value : 0.0;
    out[index] = static_cast<std::int32_t>(value + magic - magic);
  }
}

void fromFloat(const float* samples, std::byte* out, Layout layout, std::size_t count,
               std::uint32_t* dither) noexcept {
  const double scale = fullScaleOf(layout);
  std::int32_t block[blockSamples];
  for (std::size_t at = 0; at < count; at += blockSamples) {
    const std::size_t size = std::min(blockSamples, count - at);
    if (dither == nullptr) {
      roundSamples<false>(samples + at, block, size, scale, 0);
    } else {
      roundSamples<true>(samples + at, block, size, scale, *dither);
      *dither += static_cast<std::uint32_t>(size);
    }
    storeIntegers(block, out + at * bytesOf(layout), layout, size);
  }
}

// Of any number of bits: what does not fit 32 bits is clipped first.
void addIntegers(std::int32_t* __restrict sums, const std::int32_t* __restrict added,
                 std::size_t count, std::int32_t lowest, std::int32_t highest) noexcept {
  for (std::size_t index = 0; index < count; ++index) {
    const std::int32_t one = sums[index];
    const std::int32_t other = added[index];
    const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(one) +
                                               static_cast<std::uint32_t>(other));
    const bool overflows = ((one ^ sum) & (other ^ sum)) < 0;
    const std::int32_t clipped = overflows ? (one < 0 ? INT32_MIN : INT32_MAX) : sum;
    sums[index] = std::min(std::max(clipped, lowest), highest);
  }
}

void saturatingAdd(std::byte* target, const std::byte* source, Layout layout,
                   std::size_t count) noexcept {
  const auto lowest = static_cast<std::int32_t>(-fullScaleOf(layout));
  const auto highest = static_cast<std::int32_t>(fullScaleOf(layout) - 1);
  std::int32_t sums[blockSamples];
  std::int32_t added[blockSamples];
  for (std::size_t at = 0; at < count; at += blockSamples) {
    const std::size_t size = std::min(blockSamples, count - at);
    const std::size_t place = at * bytesOf(layout);
    loadIntegers(target + place, layout, sums, size);
    loadIntegers(source + place, layout, added, size);
    addIntegers(sums, added, size, lowest, highest);
    storeIntegers(sums, target + place, layout, size);
  }
}

// ------------------------------------------------------------------ gain and mixing

void scale(float* __restrict samples, std::size_t count, float gain) noexcept {
  for (std::size_t index = 0; index < count; ++index) samples[index] *= gain;
}

// By functions that have been the same since glibc 2.17: std::log and std::exp would need 2.29.
double logOf(double ratio) noexcept { return std::log1p(ratio - 1); }
double expOf(double exponent) noexcept { return std::expm1(exponent) + 1; }

void gainRamp(float* samples, std::size_t channels, std::size_t count, double from,
              double to) noexcept {
  // A ramp from or to silence begins or ends here: -100 dB.
  constexpr double silent = 1e-5;
  if (from == to) return scale(samples, count, static_cast<float>(from));
  double gain = std::max(from, silent);
  const double logRatio = logOf(std::max(to, silent) / gain) * static_cast<double>(channels) /
                          static_cast<double>(count);
  std::size_t at = 0;
  if (fitsSteps(channels)) {
    float ramp[step];
    for (std::size_t lane = 0; lane < step; ++lane) {
      ramp[lane] = static_cast<float>(expOf(logRatio * static_cast<double>(lane / channels)));
    }
    const double stepRatio = expOf(logRatio * static_cast<double>(step / channels));
    for (; at + step <= count; at += step) {
      const auto base = static_cast<float>(gain);
      for (std::size_t lane = 0; lane < step; ++lane) samples[at + lane] *= base * ramp[lane];
      gain *= stepRatio;
    }
  }
  const double ratio = expOf(logRatio);
  for (; at < count; at += channels) {
    scale(samples + at, channels, static_cast<float>(gain));
    gain *= ratio;
  }
}

void mix(float* __restrict target, const float* __restrict source, std::size_t count,
         float gain) noexcept {
  for (std::size_t index = 0; index < count; ++index) target[index] += source[index] * gain;
}

// ------------------------------------------------------------------ meters

void keepPeak(double* out, std::size_t channel, float level) noexcept {
  const auto found = static_cast<double>(level);
  if (found > out[channel]) out[channel] = found;
}

void peak(const float* samples, std::size_t channels, std::size_t count, double* out) noexcept {
  std::fill_n(out, channels, 0.0);
  std::size_t at = 0;
  if (fitsSteps(channels)) {
    Vector best[stepVectors]{};
    for (; at + step <= count; at += step) {
      for (std::size_t part = 0; part < stepVectors; ++part) {
        best[part] = largest(magnitude(load(samples + at + part * lanes)), best[part]);
      }
    }
    for (std::size_t lane = 0; lane < step; ++lane) {
      keepPeak(out, lane % channels, best[lane / lanes][lane % lanes]);
    }
  }
  for (; at < count; ++at) keepPeak(out, at % channels, std::fabs(samples[at]));
}

void squares(const float* samples, std::size_t channels, std::size_t count, double* out) noexcept {
  // Sums of floats are kept short, and then added up as doubles, to lose nothing of long audio.
  constexpr std::size_t sumSamples = 64 * step;
  std::fill_n(out, channels, 0.0);
  std::size_t at = 0;
  while (fitsSteps(channels) && at + step <= count) {
    const std::size_t end = at + std::min(sumSamples, (count - at) / step * step);
    Vector sums[stepVectors]{};
    for (; at < end; at += step) {
      for (std::size_t part = 0; part < stepVectors; ++part) {
        const Vector vector = load(samples + at + part * lanes);
        sums[part] += vector * vector;
      }
    }
    for (std::size_t lane = 0; lane < step; ++lane) {
      out[lane % channels] += static_cast<double>(sums[lane / lanes][lane % lanes]);
    }
  }
  for (; at < count; ++at) {
    const auto sample = static_cast<double>(samples[at]);
    out[at % channels] += sample * sample;
  }
}

// The first two of four phases; the other two are these backwards.
// Source: ITU-R BS.1770-4, annex 2.
constexpr float truePeakPhases[2][truePeakTaps] = {
    {0.001708984375F, 0.010986328125F, -0.0196533203125F, 0.033203125F, -0.0594482421875F,
     0.1373291015625F, 0.97216796875F, -0.102294921875F, 0.047607421875F, -0.026611328125F,
     0.014892578125F, -0.00830078125F},
    {-0.0291748046875F, 0.029296875F, -0.0517578125F, 0.089111328125F, -0.16650390625F,
     0.465087890625F, 0.77978515625F, -0.2003173828125F, 0.1015625F, -0.0582275390625F,
     0.0330810546875F, -0.0189208984375F}};

// A phase and the one that is it backwards give `even + odd` and `even - odd` of the same two sums,
// so the larger of both is `|even| + |odd|`, for half of the multiplications.
constexpr float evenTap(std::size_t phase, std::size_t tap) noexcept {
  return (truePeakPhases[phase][tap] + truePeakPhases[phase][truePeakTaps - 1 - tap]) / 2;
}

constexpr float oddTap(std::size_t phase, std::size_t tap) noexcept {
  return (truePeakPhases[phase][tap] - truePeakPhases[phase][truePeakTaps - 1 - tap]) / 2;
}

struct TapPair {
  float even[2];
  float odd[2];
};

constexpr TapPair tapPair(std::size_t tap) noexcept {
  return {{evenTap(0, tap), evenTap(1, tap)}, {oddTap(0, tap), oddTap(1, tap)}};
}

constexpr TapPair tapPairs[] = {tapPair(0), tapPair(1), tapPair(2),
                                tapPair(3), tapPair(4), tapPair(5)};

// `newest` has the frames before it in front.
float truePeakAt(const float* newest, std::size_t channels) noexcept {
  float even[2]{};
  float odd[2]{};
  for (std::size_t tap = 0; tap < truePeakTaps / 2; ++tap) {
    const float near = *(newest - tap * channels);
    const float far = *(newest - (truePeakTaps - 1 - tap) * channels);
    for (std::size_t phase = 0; phase < 2; ++phase) {
      even[phase] += tapPairs[tap].even[phase] * (near + far);
      odd[phase] += tapPairs[tap].odd[phase] * (near - far);
    }
  }
  const float first = std::fabs(even[0]) + std::fabs(odd[0]);
  const float second = std::fabs(even[1]) + std::fabs(odd[1]);
  return first > second ? first : second;
}

Vector truePeaksAt(const float* newest, std::size_t channels) noexcept {
  Vector even[2]{};
  Vector odd[2]{};
  for (std::size_t tap = 0; tap < truePeakTaps / 2; ++tap) {
    const Vector near = load(newest - tap * channels);
    const Vector far = load(newest - (truePeakTaps - 1 - tap) * channels);
    for (std::size_t phase = 0; phase < 2; ++phase) {
      even[phase] += tapPairs[tap].even[phase] * (near + far);
      odd[phase] += tapPairs[tap].odd[phase] * (near - far);
    }
  }
  return largest(magnitude(even[0]) + magnitude(odd[0]), magnitude(even[1]) + magnitude(odd[1]));
}

void truePeak(float* history, const float* samples, std::size_t channels, std::size_t count,
              double* out) noexcept {
  const std::size_t past = truePeakHistoryFrames * channels;
  std::fill_n(out, channels, 0.0);
  // The frames at the beginning see those before, so both are laid side by side.
  float joined[2 * truePeakHistoryFrames * maxChannels];
  const std::size_t head = std::min(past, count);
  std::copy_n(history, past, joined);
  std::copy_n(samples, head, joined + past);
  for (std::size_t at = 0; at < head; ++at) {
    keepPeak(out, at % channels, truePeakAt(joined + past + at, channels));
  }
  std::size_t at = head;
  if (fitsSteps(channels)) {
    Vector best[stepVectors]{};
    for (; at + step <= count; at += step) {
      for (std::size_t part = 0; part < stepVectors; ++part) {
        best[part] = largest(truePeaksAt(samples + at + part * lanes, channels), best[part]);
      }
    }
    // The head is a whole number of frames, so lanes begin with the first channel.
    for (std::size_t lane = 0; lane < step; ++lane) {
      keepPeak(out, lane % channels, best[lane / lanes][lane % lanes]);
    }
  }
  for (; at < count; ++at) keepPeak(out, at % channels, truePeakAt(samples + at, channels));

  if (count >= past) {
    std::copy_n(samples + count - past, past, history);
  } else {
    std::copy_n(joined + count, past, history);
  }
}

constexpr Kernels loops(const char* name) noexcept {
  return {name, toFloat, fromFloat, saturatingAdd, gainRamp, mix, peak, squares, truePeak};
}

}  // namespace
}  // namespace zerocast::dsp
