#include "plain-loops.hpp"

#include <algorithm>
#include <cmath>

namespace zerocast::dsp {

void pickChannels(const float* samples, std::size_t channels, std::size_t frames,
                  const std::int32_t* picks, std::size_t width, float* out) noexcept {
  for (std::size_t output = 0; output < width; ++output) {
    const std::int32_t pick = picks[output];
    for (std::size_t frame = 0; frame < frames; ++frame) {
      const float* const from = samples + frame * channels;
      float& to = out[frame * width + output];
      if (pick >= 0) {
        to = from[pick];
        continue;
      }
      double sum = 0;
      for (std::size_t channel = 0; channel < channels; ++channel) {
        sum += static_cast<double>(from[channel]);
      }
      to = static_cast<float>(sum / static_cast<double>(channels));
    }
  }
}

namespace {

// Filters become exactly 0, as processors are slow near the smallest numbers; so does what is none.
double settled(double value) noexcept {
  const double size = std::fabs(value);
  return size > 1e-30 && size <= 1e300 ? value : 0.0;
}

}  // namespace

void filteredSquares(double* state, const float* samples, std::size_t channels, std::size_t count,
                     double* out) noexcept {
  // Two channels go side by side, and what does not depend on the last result comes first, as each
  // step waits for the one before.
  typedef double Pair __attribute__((vector_size(2 * sizeof(double))));
  const double* const c = state;
  for (std::size_t left = 0; left < channels; left += 2) {
    const std::size_t right = std::min(left + 1, channels - 1);
    double* const one = state + filterHeader + left * filterChannelNumbers;
    double* const other = state + filterHeader + right * filterChannelNumbers;
    Pair s1{one[0], other[0]};
    Pair s2{one[1], other[1]};
    Pair t1{one[2], other[2]};
    Pair t2{one[3], other[3]};
    Pair sum{};
    for (std::size_t at = 0; at < count; at += channels) {
      const Pair sample{static_cast<double>(samples[at + left]),
                        static_cast<double>(samples[at + right])};
      const Pair shelved = c[0] * sample + s1;
      s1 = (c[1] * sample + s2) - c[3] * shelved;
      s2 = c[2] * sample - c[4] * shelved;
      const Pair weighted = c[5] * shelved + t1;
      t1 = (c[6] * shelved + t2) - c[8] * weighted;
      t2 = c[7] * shelved - c[9] * weighted;
      sum += weighted * weighted;
    }
    const Pair* const ends[] = {&s1, &s2, &t1, &t2};
    for (std::size_t index = 0; index < filterChannelNumbers; ++index) {
      other[index] = settled((*ends[index])[1]);
      one[index] = settled((*ends[index])[0]);
    }
    out[right] = sum[1];
    out[left] = sum[0];
  }
}

}  // namespace zerocast::dsp
