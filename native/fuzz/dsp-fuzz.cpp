// Any sizes, channels, offsets and states: what the checks of the binding let pass stays within its
// memory.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "../test/limiter-state.hpp"
#include "../test/mel-tables.hpp"
#include "dsp/kernels.hpp"
#include "dsp/limiter.hpp"
#include "dsp/plain-loops.hpp"
#include "dsp/spectra.hpp"
#include "input.hpp"

using namespace zerocast::dsp;
using namespace zerocast::fuzz;
using namespace zerocast::test;

namespace {

// Any bits, so that some are no numbers.
float someFloat(Input& input) {
  if (input.flip()) return static_cast<float>(static_cast<std::int8_t>(input.byte())) / 100;
  const std::uint32_t bits = input.word();
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Memory of exactly this size, which begins at any float.
std::vector<float> someSamples(Input& input, std::size_t count) {
  std::vector<float> samples(count);
  for (float& sample : samples) sample = someFloat(input);
  return samples;
}

const Kernels& someKernels(Input& input) { return input.flip() ? baselineKernels : kernels(); }

void convert(Input& input) {
  const Kernels& kernels = someKernels(input);
  const auto layout = static_cast<Layout>(input.below(5));
  const std::size_t count = input.below(150);
  const std::vector<float> samples = someSamples(input, count);
  std::vector<std::byte> pcm(count * bytesOf(layout));
  std::uint32_t serial = input.word();
  kernels.fromFloat(samples.data(), pcm.data(), layout, count, input.flip() ? &serial : nullptr);
  std::vector<float> back(count);
  kernels.toFloat(pcm.data(), layout, back.data(), count);
  for (const float sample : back) check(sample >= -1 && sample <= 1, "PCM is within full scale");
  const std::vector<std::byte> same = pcm;
  kernels.saturatingAdd(pcm.data(), same.data(), layout, count);
}

void measure(Input& input) {
  const Kernels& kernels = someKernels(input);
  const std::size_t channels = 1 + input.below(maxChannels);
  const std::size_t frames = input.below(60);
  const std::size_t count = frames * channels;
  std::vector<float> samples = someSamples(input, count);
  std::vector<double> out(channels);
  kernels.peak(samples.data(), channels, count, out.data());
  for (const double peak : out) check(peak >= 0, "a peak is a number");
  kernels.squares(samples.data(), channels, count, out.data());
  std::vector<float> history(truePeakHistoryFrames * channels);
  kernels.truePeak(history.data(), samples.data(), channels, count, out.data());
  std::vector<double> filters(filterHeader + filterChannelNumbers * channels, 0.1);
  filteredSquares(filters.data(), samples.data(), channels, count, out.data());
  for (std::size_t at = filterHeader; at < filters.size(); ++at) {
    check(std::isfinite(filters[at]), "filters forget what is no number");
  }
  std::vector<std::int32_t> picks(input.below(6));
  for (std::int32_t& pick : picks) {
    pick = static_cast<std::int32_t>(input.below(static_cast<std::uint32_t>(channels) + 1)) - 1;
  }
  std::vector<float> picked(frames * picks.size());
  pickChannels(samples.data(), channels, frames, picks.data(), picks.size(), picked.data());
  if (count > 0) kernels.gainRamp(samples.data(), channels, count, 0.5, input.flip() ? 0 : 0.25);
  std::vector<float> target(count);
  kernels.mix(target.data(), samples.data(), count, 0.5F);
}

void limitAny(Input& input) {
  const std::size_t channels = 1 + input.below(4);
  std::vector<double> state = newLimiterState(1 + input.below(40), channels);
  for (std::uint32_t changes = input.below(4); changes > 0; --changes) {
    state[input.byte() % state.size()] = static_cast<double>(someFloat(input));
  }
  for (int call = 0; call < 3 && isLimiter(state); ++call) {
    std::vector<float> samples = someSamples(input, input.below(100) * limiterChannels(state));
    limit(state, samples);
  }
}

void melAny(Input& input) {
  constexpr std::size_t sizes[] = {4, 10, 16, 30, 48, 60, 64};
  MelTables made =
      newMelTables(sizes[input.below(7)], 1 + input.below(70), 1 + input.below(12), input.flip());
  for (std::uint32_t changes = input.below(3); changes > 0; --changes) {
    made.shape[input.byte() % made.shape.size()] = static_cast<std::int32_t>(input.someNumber());
  }
  if (input.below(8) == 0) made.tables[0] = someFloat(input);
  if (input.below(8) == 0) made.tables.pop_back();
  MelShape shape;
  if (!readMelShape(made.shape, made.tables, shape)) return;
  const std::vector<float> samples = someSamples(input, input.below(250));
  std::vector<float> out(melRowCount(shape, samples.size()) * shape.bands);
  melRows(shape, made.tables, samples, out);
}

void transformAny(Input& input) {
  std::vector<float> plan = newFftPlan(2 * (1 + input.below(60)));
  if (input.below(8) == 0) plan[0] = someFloat(input);
  const std::size_t size = fftSize(plan);
  if (size == 0) return;
  const std::vector<float> samples = someSamples(input, size);
  std::vector<float> out(size + 2);
  realFft(plan, samples, out);
}

constexpr void (*actions[])(Input&) = {convert, measure, limitAny, melAny, transformAny};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  while (input.hasMore()) actions[input.below(5)](input);
  return 0;
}
