#include "spectra.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace zerocast::dsp {

namespace {

constexpr std::size_t radices[] = {4, 2, 3, 5};
constexpr float maxFftSize = 262144;
constexpr std::size_t planHeader = 1;

constexpr std::size_t planNumbers(std::size_t size) noexcept { return planHeader + 4 * size; }

// Quieter than this is told as if it were so loud: -100 dB.
constexpr float smallestPower = 1e-10F;

// In the order of `melField` in src/dsp/mel-plan.ts.
enum Field : std::size_t { windowField, hopField, bandsField, scaleField, centredField, melHeader };

struct Complex {
  float real;
  float imaginary;
};

Complex at(const float* pairs, std::size_t index) noexcept {
  return {pairs[2 * index], pairs[2 * index + 1]};
}

void put(float* pairs, std::size_t index, Complex value) noexcept {
  pairs[2 * index] = value.real;
  pairs[2 * index + 1] = value.imaginary;
}

Complex operator+(Complex one, Complex other) noexcept {
  return {one.real + other.real, one.imaginary + other.imaginary};
}

Complex operator-(Complex one, Complex other) noexcept {
  return {one.real - other.real, one.imaginary - other.imaginary};
}

Complex operator*(Complex one, Complex other) noexcept {
  return {one.real * other.real - one.imaginary * other.imaginary,
          one.real * other.imaginary + one.imaginary * other.real};
}

// A quarter of a turn backwards.
Complex turned(Complex value) noexcept { return {value.imaginary, -value.real}; }

struct Pass {
  const float* roots;
  // Of the whole real transform.
  std::size_t size;
  // Points of one of the transforms of this pass.
  std::size_t length;
  const float* from;
  float* to;
};

// One pass of the self-sorting transform. Source: T. G. Stockham (1966).
void radix4(const Pass& pass) noexcept {
  const std::size_t stride = pass.size / 2 / pass.length;
  const std::size_t quarter = pass.length / 4;
  const std::size_t step = stride * quarter;
  for (std::size_t part = 0; part < quarter; ++part) {
    const Complex w1 = at(pass.roots, 2 * stride * part);
    const Complex w2 = at(pass.roots, 4 * stride * part);
    const Complex w3 = at(pass.roots, 6 * stride * part);
    for (std::size_t index = 0; index < stride; ++index) {
      const std::size_t source = index + stride * part;
      const std::size_t target = index + 4 * stride * part;
      const Complex a = at(pass.from, source);
      const Complex b = at(pass.from, source + step);
      const Complex c = at(pass.from, source + 2 * step);
      const Complex d = at(pass.from, source + 3 * step);
      const Complex e = a + c;
      const Complex f = a - c;
      const Complex g = b + d;
      const Complex h = turned(b - d);
      put(pass.to, target, e + g);
      put(pass.to, target + stride, (f + h) * w1);
      put(pass.to, target + 2 * stride, (e - g) * w2);
      put(pass.to, target + 3 * stride, (f - h) * w3);
    }
  }
}

template <std::size_t radix>
void anyRadix(const Pass& pass) noexcept {
  const std::size_t stride = pass.size / 2 / pass.length;
  const std::size_t parts = pass.length / radix;
  const std::size_t step = stride * parts;
  const std::size_t turn = pass.size / radix;
  Complex roots[radix];
  for (std::size_t index = 0; index < radix; ++index) roots[index] = at(pass.roots, turn * index);
  for (std::size_t part = 0; part < parts; ++part) {
    for (std::size_t index = 0; index < stride; ++index) {
      const std::size_t source = index + stride * part;
      const std::size_t target = index + radix * stride * part;
      for (std::size_t output = 0; output < radix; ++output) {
        Complex sum{0, 0};
        for (std::size_t input = 0; input < radix; ++input) {
          sum = sum + at(pass.from, source + input * step) * roots[input * output % radix];
        }
        put(pass.to, target + output * stride, sum * at(pass.roots, 2 * stride * part * output));
      }
    }
  }
}

// The spectrum of real samples out of that of their pairs.
void split(const float* roots, std::size_t size, const float* pairs, float* out) noexcept {
  const std::size_t points = size / 2;
  for (std::size_t bin = 0; bin <= points; ++bin) {
    const Complex one = at(pairs, bin == points ? 0 : bin);
    const Complex other = at(pairs, bin == 0 ? 0 : points - bin);
    const Complex even{(one.real + other.real) / 2, (one.imaginary - other.imaginary) / 2};
    const Complex odd{(one.imaginary + other.imaginary) / 2, (other.real - one.real) / 2};
    put(out, bin, even + odd * at(roots, bin));
  }
}

// Transforms what lies in the first work area of the plan.
void transform(float* plan, std::size_t size, float* out) noexcept {
  const float* const roots = plan + planHeader;
  float* from = plan + planHeader + 2 * size;
  float* to = from + size;
  std::size_t rest = size / 2;
  for (const std::size_t radix : radices) {
    for (; rest % radix == 0; rest /= radix) {
      const Pass pass{.roots = roots, .size = size, .length = rest, .from = from, .to = to};
      if (radix == 4) {
        radix4(pass);
      } else if (radix == 2) {
        anyRadix<2>(pass);
      } else if (radix == 3) {
        anyRadix<3>(pass);
      } else {
        anyRadix<5>(pass);
      }
      std::swap(from, to);
    }
  }
  split(roots, size, from, out);
}

bool isFftSize(float size) noexcept {
  if (!(size >= 4 && size <= maxFftSize) || size != std::floor(size)) return false;
  const auto whole = static_cast<std::size_t>(size);
  std::size_t rest = whole / 2;
  for (const std::size_t radix : radices) {
    while (rest % radix == 0) rest /= radix;
  }
  return whole % 2 == 0 && rest == 1;
}

float scaled(float power, std::int32_t scale) noexcept {
  if (scale == 0) return power;
  const float log = std::log10(power > smallestPower ? power : smallestPower);
  return scale == 1 ? 10 * log : log;
}

// Weighs the samples of a window, which reach beyond the audio when rows are centred.
void weigh(const MelShape& shape, std::span<const float> samples, std::size_t row,
           const float* weights, float* out) noexcept {
  const auto end = static_cast<std::ptrdiff_t>(samples.size());
  const auto window = static_cast<std::ptrdiff_t>(shape.window);
  const std::ptrdiff_t start =
      static_cast<std::ptrdiff_t>(row * shape.hop) - (shape.isCentred ? window / 2 : 0);
  if (start >= 0 && start + window <= end) {
    const float* const from = samples.data() + start;
    for (std::ptrdiff_t index = 0; index < window; ++index)
      out[index] = from[index] * weights[index];
    return;
  }
  for (std::ptrdiff_t index = 0; index < window; ++index) {
    std::ptrdiff_t place = std::abs(start + index);
    if (place >= end) place = 2 * (end - 1) - place;
    out[index] = samples[static_cast<std::size_t>(place)] * weights[index];
  }
}

}  // namespace

std::size_t fftSize(std::span<const float> plan) noexcept {
  if (plan.empty() || !isFftSize(plan[0])) return 0;
  const auto size = static_cast<std::size_t>(plan[0]);
  return plan.size() == planNumbers(size) ? size : 0;
}

void realFft(std::span<float> plan, std::span<const float> samples, std::span<float> out) noexcept {
  const std::size_t size = samples.size();
  std::copy_n(samples.data(), size, plan.data() + planHeader + 2 * size);
  transform(plan.data(), size, out.data());
}

bool readMelShape(std::span<const std::int32_t> shape, std::span<const float> tables,
                  MelShape& found) noexcept {
  if (shape.size() < melHeader || tables.empty() || !isFftSize(tables[0])) return false;
  const auto window = static_cast<std::size_t>(tables[0]);
  const std::size_t fixed = planNumbers(window) + window + window + 2;
  if (shape[windowField] != static_cast<std::int32_t>(window) || shape[hopField] < 1 ||
      shape[bandsField] < 1 || tables.size() < fixed) {
    return false;
  }
  const auto bands = static_cast<std::size_t>(shape[bandsField]);
  if (shape.size() != melHeader + 2 * bands) return false;
  const std::size_t bins = window / 2 + 1;
  std::size_t weights = 0;
  for (std::size_t band = 0; band < bands; ++band) {
    const std::int32_t first = shape[melHeader + 2 * band];
    const std::int32_t count = shape[melHeader + 2 * band + 1];
    if (first < 0 || count < 0) return false;
    if (static_cast<std::size_t>(first) + static_cast<std::size_t>(count) > bins) return false;
    weights += static_cast<std::size_t>(count);
  }
  if (tables.size() != fixed + weights) return false;
  found = {
      .window = window,
      .hop = static_cast<std::size_t>(shape[hopField]),
      .bands = bands,
      .scale = shape[scaleField],
      .isCentred = shape[centredField] != 0,
      .filters = shape.subspan(melHeader),
  };
  return true;
}

std::size_t melRowCount(const MelShape& shape, std::size_t samples) noexcept {
  if (shape.isCentred) return samples > shape.window / 2 ? samples / shape.hop : 0;
  return samples < shape.window ? 0 : (samples - shape.window) / shape.hop + 1;
}

void melRows(const MelShape& shape, std::span<float> tables, std::span<const float> samples,
             std::span<float> out) noexcept {
  const std::size_t window = shape.window;
  float* const plan = tables.data();
  float* const work = plan + planHeader + 2 * window;
  const float* const sampleWeights = plan + planNumbers(window);
  float* const spectrum = plan + planNumbers(window) + window;
  const std::size_t rows = out.size() / shape.bands;
  float* to = out.data();
  for (std::size_t row = 0; row < rows; ++row) {
    weigh(shape, samples, row, sampleWeights, work);
    transform(plan, window, spectrum);
    for (std::size_t bin = 0; bin <= window / 2; ++bin) {
      const Complex value = at(spectrum, bin);
      spectrum[bin] = value.real * value.real + value.imaginary * value.imaginary;
    }
    const float* weights = spectrum + window + 2;
    for (std::size_t band = 0; band < shape.bands; ++band) {
      const auto first = static_cast<std::size_t>(shape.filters[2 * band]);
      const auto count = static_cast<std::size_t>(shape.filters[2 * band + 1]);
      float power = 0;
      for (std::size_t index = 0; index < count; ++index) {
        power += spectrum[first + index] * weights[index];
      }
      weights += count;
      *to++ = scaled(power, shape.scale);
    }
  }
}

}  // namespace zerocast::dsp
