#include "limiter.hpp"

#include <algorithm>
#include <cmath>

#include "kernels.hpp"

namespace zerocast::dsp {

namespace {

// In the order of `limiterField` in src/dsp/limiter.ts.
enum Field : std::size_t {
  frameCount,
  channelCount,
  ceilingLevel,
  releaseShare,
  nextPlace,
  lastGain,
  gainSum,
  framesDone,
  queueFirst,
  queueCount,
  rings,
};

// Of 20 s at the highest rate, and exact as a double.
constexpr double maxFrames = 1 << 24;

// The gain is 1 again when less is missing than can be heard.
constexpr double almostOne = 1 - 1e-4;

bool isWhole(double value, double lowest, double highest) noexcept {
  return value >= lowest && value <= highest && value == std::floor(value);
}

std::size_t sizeOf(double value) noexcept { return static_cast<std::size_t>(value); }

}  // namespace

bool isLimiter(std::span<const double> state) noexcept {
  if (state.size() < rings) return false;
  if (!isWhole(state[frameCount], 1, maxFrames)) return false;
  if (!isWhole(state[channelCount], 1, static_cast<double>(maxChannels))) return false;
  const std::size_t frames = sizeOf(state[frameCount]);
  const std::size_t places = frames + 1;
  return state.size() == rings + frames * limiterChannels(state) + frames + 2 * places &&
         isWhole(state[nextPlace], 0, static_cast<double>(frames - 1)) &&
         isWhole(state[queueFirst], 0, static_cast<double>(frames)) &&
         isWhole(state[queueCount], 0, static_cast<double>(places));
}

std::size_t limiterChannels(std::span<const double> state) noexcept {
  return sizeOf(state[channelCount]);
}

void limit(std::span<double> state, std::span<float> samples) noexcept {
  const std::size_t frames = sizeOf(state[frameCount]);
  const std::size_t channels = limiterChannels(state);
  const std::size_t places = frames + 1;
  const double ceiling = state[ceilingLevel];
  const double release = state[releaseShare];
  double* const delayed = state.data() + rings;
  double* const gains = delayed + frames * channels;
  double* const queuedGains = gains + frames;
  double* const queuedFrames = queuedGains + places;
  std::size_t place = sizeOf(state[nextPlace]);
  double gain = state[lastGain];
  double sum = state[gainSum];
  double now = state[framesDone];
  std::size_t first = sizeOf(state[queueFirst]);
  std::size_t count = sizeOf(state[queueCount]);
  const auto wrapped = [places](std::size_t at) { return at >= places ? at - places : at; };

  for (std::size_t at = 0; at < samples.size(); at += channels) {
    float* const frame = samples.data() + at;
    double peak = 0;
    for (std::size_t channel = 0; channel < channels; ++channel) {
      const auto level = static_cast<double>(std::fabs(frame[channel]));
      if (level > peak) peak = level;
    }
    const double wanted = peak > ceiling ? ceiling / peak : 1.0;

    // The smallest wanted gain of this frame and those of the look-ahead is the first of the queue.
    if (count > 0 && queuedFrames[first] < now - static_cast<double>(frames)) {
      first = wrapped(first + 1);
      --count;
    }
    while (count > 0 && queuedGains[wrapped(first + count - 1)] >= wanted) --count;
    // Only a state that lies about its frames could fill the queue; then the oldest is lost.
    if (count == places) --count;
    const std::size_t end = wrapped(first + count);
    queuedGains[end] = wanted;
    queuedFrames[end] = now;
    ++count;
    now += 1;

    const double smallest = queuedGains[first];
    gain = smallest < gain ? smallest : gain + (smallest - gain) * release;
    if (gain > almostOne && smallest == 1.0) gain = 1.0;
    // The mean over the look-ahead falls smoothly, and is there when the peak comes out.
    sum += gain - gains[place];
    gains[place] = gain;
    if (place == frames - 1) {
      sum = 0;
      for (std::size_t index = 0; index < frames; ++index) sum += gains[index];
    }
    const double mean = sum / static_cast<double>(frames);
    for (std::size_t channel = 0; channel < channels; ++channel) {
      double& slot = delayed[place * channels + channel];
      const double limited = slot * mean;
      slot = static_cast<double>(frame[channel]);
      frame[channel] = static_cast<float>(limited > ceiling    ? ceiling
                                          : limited < -ceiling ? -ceiling
                                                               : limited);
    }
    place = place + 1 == frames ? 0 : place + 1;
  }
  state[nextPlace] = static_cast<double>(place);
  state[lastGain] = gain;
  state[gainSum] = sum;
  state[framesDone] = now;
  state[queueFirst] = static_cast<double>(first);
  state[queueCount] = static_cast<double>(count);
}

}  // namespace zerocast::dsp
