#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "dsp/kernels.hpp"
#include "noise.hpp"
#include "tap.hpp"

using namespace zerocast::dsp;
using zerocast::test::Noise;
using zerocast::test::Run;

namespace {

// Numbers of frames around all sizes of vectors, and some that are larger than any block.
constexpr std::size_t frameCounts[] = {0,  1,  2,  3,  7,  8,   9,   11,  12,
                                       15, 16, 17, 31, 33, 100, 700, 2100};
constexpr std::size_t channelCounts[] = {1, 2, 3, 4, 5, 6, 8};
constexpr Layout layouts[] = {Layout::s8, Layout::s16, Layout::s24, Layout::s24Packed, Layout::s32};

double fullScaleOf(Layout layout) {
  constexpr double scales[] = {0x1p7, 0x1p15, 0x1p23, 0x1p23, 0x1p31};
  return scales[static_cast<std::size_t>(layout)];
}

// Integers that begin at an odd address, with a guard behind them.
class OddBytes {
 public:
  OddBytes(Layout layout, std::size_t count) : layout_(layout), count_(count) {
    bytes_.assign(1 + count * bytesOf(layout) + 1, std::byte{0x5a});
  }

  std::byte* data() { return bytes_.data() + 1; }
  bool isGuarded() const {
    return bytes_.front() == std::byte{0x5a} && bytes_.back() == std::byte{0x5a};
  }

  std::int64_t at(std::size_t index) const {
    const std::size_t bytes = bytesOf(layout_);
    std::uint64_t value = 0;
    for (std::size_t byte = 0; byte < bytes; ++byte) {
      value |= std::to_integer<std::uint64_t>(bytes_[1 + index * bytes + byte]) << 8 * byte;
    }
    const unsigned unused = 64 - 8 * static_cast<unsigned>(bytes);
    return static_cast<std::int64_t>(value << unused) >> unused;
  }

  void set(std::size_t index, std::int64_t value) {
    const std::size_t bytes = bytesOf(layout_);
    std::memcpy(data() + index * bytes, &value, bytes);
  }

  void fill(Noise& noise) {
    const double scale = fullScaleOf(layout_);
    for (std::size_t index = 0; index < count_; ++index) {
      set(index, static_cast<std::int64_t>(noise.next() * (scale - 1)));
    }
    if (count_ > 1) set(0, static_cast<std::int64_t>(-scale));
    if (count_ > 1) set(1, static_cast<std::int64_t>(scale - 1));
  }

 private:
  Layout layout_;
  std::size_t count_;
  std::vector<std::byte> bytes_;
};

bool isClose(double one, double other, double tolerance = 1e-5) {
  return std::fabs(one - other) <= tolerance * std::max(1.0, std::fabs(other));
}

void testIntegers(Run& run, const Kernels& kernels) {
  for (const Layout layout : layouts) {
    const double scale = fullScaleOf(layout);
    for (const std::size_t count : frameCounts) {
      Noise noise;
      OddBytes pcm(layout, count);
      OddBytes added(layout, count);
      pcm.fill(noise);
      added.fill(noise);
      std::vector<float> floats(count);
      kernels.toFloat(pcm.data(), layout, floats.data(), count);
      bool same = true;
      for (std::size_t index = 0; index < count; ++index) {
        same =
            same && floats[index] == static_cast<float>(static_cast<double>(pcm.at(index)) / scale);
      }
      run.expect(same, "an integer becomes its float");

      const OddBytes before = pcm;
      kernels.saturatingAdd(pcm.data(), added.data(), layout, count);
      for (std::size_t index = 0; index < count; ++index) {
        const auto sum = static_cast<double>(before.at(index) + added.at(index));
        same = same && static_cast<double>(pcm.at(index)) == std::clamp(sum, -scale, scale - 1);
      }
      run.expect(same, "sums are clipped");

      const std::vector<float> loud = noise.samples(count, 1.1);
      kernels.fromFloat(loud.data(), pcm.data(), layout, count, nullptr);
      for (std::size_t index = 0; index < count; ++index) {
        const double wanted =
            std::clamp(static_cast<double>(loud[index]) * scale, -scale, scale - 1);
        same = same && static_cast<double>(pcm.at(index)) == std::nearbyint(wanted);
      }
      run.expect(same, "a float becomes the nearest integer");
      run.expect(pcm.isGuarded() && added.isGuarded(), "nothing is written outside");
    }
  }
}

void testOddFloats(Run& run, const Kernels& kernels) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const Layout layout : layouts) {
    const double scale = fullScaleOf(layout);
    std::vector<float> samples;
    for (int index = 0; index < 20; ++index) {
      samples.insert(samples.end(), {nan, infinity, -infinity, 3e38F, -0.0F, 1e-40F});
    }
    OddBytes pcm(layout, samples.size());
    kernels.fromFloat(samples.data(), pcm.data(), layout, samples.size(), nullptr);
    bool same = true;
    for (std::size_t index = 0; index < samples.size(); index += 6) {
      const double wanted[] = {0, scale - 1, -scale, scale - 1, 0, 0};
      for (std::size_t at = 0; at < 6; ++at) {
        same = same && static_cast<double>(pcm.at(index + at)) == wanted[at];
      }
    }
    run.expect(same, "what is no number is silence, what is too loud is clipped");
  }
}

void testDither(Run& run, const Kernels& kernels) {
  constexpr std::size_t count = 1000;
  const std::vector<float> samples = Noise().samples(count);
  OddBytes whole(Layout::s16, count);
  OddBytes parts(Layout::s16, count);
  std::uint32_t serial = 0xffffff00;
  kernels.fromFloat(samples.data(), whole.data(), Layout::s16, count, &serial);
  run.expect(serial == static_cast<std::uint32_t>(0xffffff00 + count),
             "the serial number of the noise goes on, and around");
  serial = 0xffffff00;
  for (std::size_t at = 0; at < count; at += 125) {
    kernels.fromFloat(samples.data() + at, parts.data() + 2 * at, Layout::s16, 125, &serial);
  }
  bool same = true;
  bool isNear = true;
  int changed = 0;
  for (std::size_t index = 0; index < count; ++index) {
    const double wanted =
        std::clamp(static_cast<double>(samples[index]) * 32768, -32768.0, 32767.0);
    same = same && whole.at(index) == parts.at(index);
    isNear = isNear && std::fabs(static_cast<double>(whole.at(index)) - wanted) <= 1.5;
    if (static_cast<double>(whole.at(index)) != std::nearbyint(wanted)) ++changed;
  }
  run.expect(same, "pieces are dithered as the whole is");
  run.expect(isNear, "noise is of one step");
  run.expect(changed > 100, "there is noise");
}

void testGains(Run& run, const Kernels& kernels) {
  for (const std::size_t channels : channelCounts) {
    for (const std::size_t frames : frameCounts) {
      if (frames == 0) continue;
      Noise noise;
      const std::size_t count = frames * channels;
      const std::vector<float> before = noise.samples(count + 1);
      std::vector<float> ramped = before;
      kernels.gainRamp(ramped.data(), channels, count, 0.8, 0.01);
      std::vector<float> mixed = before;
      const std::vector<float> source = noise.samples(count);
      kernels.mix(mixed.data(), source.data(), count, 0.3F);
      bool ramps = true;
      bool mixes = true;
      for (std::size_t index = 0; index < count; ++index) {
        const double place = static_cast<double>(index / channels) / static_cast<double>(frames);
        const auto sample = static_cast<double>(before[index]);
        const double wanted = sample * 0.8 * std::pow(0.01 / 0.8, place);
        const double sum = sample + static_cast<double>(source[index]) * 0.3;
        ramps = ramps && isClose(static_cast<double>(ramped[index]), wanted, 1e-6);
        mixes = mixes && isClose(static_cast<double>(mixed[index]), sum, 1e-6);
      }
      run.expect(ramps, "the gain is linear in decibels");
      run.expect(mixes, "the source is added");
      run.expect(ramped[count] == before[count] && mixed[count] == before[count],
                 "nothing is written behind the end");
    }
  }
}

void testMeters(Run& run, const Kernels& kernels) {
  for (const std::size_t channels : channelCounts) {
    for (const std::size_t frames : frameCounts) {
      const std::size_t count = frames * channels;
      const std::vector<float> samples = Noise().samples(count);
      std::vector<double> peaks(channels, 9);
      std::vector<double> sums(channels, 9);
      kernels.peak(samples.data(), channels, count, peaks.data());
      kernels.squares(samples.data(), channels, count, sums.data());
      std::vector<double> wantedPeaks(channels);
      std::vector<double> wantedSums(channels);
      for (std::size_t index = 0; index < count; ++index) {
        const double level = std::fabs(static_cast<double>(samples[index]));
        wantedPeaks[index % channels] = std::max(wantedPeaks[index % channels], level);
        wantedSums[index % channels] += level * level;
      }
      bool same = true;
      for (std::size_t channel = 0; channel < channels; ++channel) {
        same = same && peaks[channel] == wantedPeaks[channel];
        same = same && isClose(sums[channel], wantedSums[channel]);
      }
      run.expect(same, "each channel has its peak and its energy");
    }
  }
}

void testTruePeak(Run& run, const Kernels& kernels) {
  for (const std::size_t channels : channelCounts) {
    const std::size_t count = 2100 * channels;
    const std::vector<float> samples = Noise().samples(count);
    std::vector<double> whole(channels);
    std::vector<float> history(truePeakHistoryFrames * channels);
    kernels.truePeak(history.data(), samples.data(), channels, count, whole.data());
    run.expect(std::equal(history.begin(), history.end(),
                          samples.end() - static_cast<std::ptrdiff_t>(history.size())),
               "the last frames are kept");

    std::fill(history.begin(), history.end(), 0.0F);
    std::vector<double> best(channels);
    std::vector<double> part(channels);
    std::size_t at = 0;
    for (std::size_t index = 0; at < count; ++index) {
      const std::size_t frames =
          std::min(frameCounts[index % std::size(frameCounts)], (count - at) / channels);
      const std::size_t size = frames * channels;
      kernels.truePeak(history.data(), samples.data() + at, channels, size, part.data());
      for (std::size_t channel = 0; channel < channels; ++channel) {
        best[channel] = std::max(best[channel], part[channel]);
      }
      at += size;
    }
    bool same = true;
    for (std::size_t channel = 0; channel < channels; ++channel) {
      same = same && isClose(best[channel], whole[channel], 1e-6) && whole[channel] > 1;
    }
    run.expect(same, "pieces have the true peak of the whole");
  }
}

struct Results {
  std::vector<float> floats;
  std::vector<double> meters;
  OddBytes pcm;
};

Results resultsOf(const Kernels& kernels, std::size_t channels) {
  const std::size_t count = 1921 * channels;
  Results results{Noise().samples(count), {}, OddBytes(Layout::s16, count)};
  const std::vector<float> source = results.floats;
  kernels.gainRamp(results.floats.data(), channels, count, 0.9, 0.2);
  kernels.mix(results.floats.data(), source.data(), count, 0.3F);
  std::uint32_t serial = 5;
  kernels.fromFloat(results.floats.data(), results.pcm.data(), Layout::s16, count, &serial);
  std::vector<double> out(channels);
  std::vector<float> history(truePeakHistoryFrames * channels);
  const auto keep = [&] { results.meters.insert(results.meters.end(), out.begin(), out.end()); };
  kernels.peak(results.floats.data(), channels, count, out.data());
  keep();
  kernels.squares(results.floats.data(), channels, count, out.data());
  keep();
  kernels.truePeak(history.data(), results.floats.data(), channels, count, out.data());
  keep();
  return results;
}

void testSame(Run& run, const Kernels& one, const Kernels& other) {
  for (const std::size_t channels : channelCounts) {
    Results first = resultsOf(one, channels);
    Results second = resultsOf(other, channels);
    run.expect(first.floats == second.floats, "floats are equal to the bit");
    run.expect(first.meters == second.meters, "so is what meters show");
    run.expect(std::memcmp(first.pcm.data(), second.pcm.data(), 2 * first.floats.size()) == 0,
               "and integers are");
  }
}

}  // namespace

int main() {
  Run run;
  std::vector<const Kernels*> kinds{&baselineKernels};
  if (&kernels() != &baselineKernels) kinds.push_back(&kernels());
  for (const Kernels* kind : kinds) {
    const auto test = [&run, kind](const std::string& behaviour,
                                   void (*body)(Run&, const Kernels&)) {
      run.it(std::string(kind->name) + " kernels " + behaviour,
             [=](Run& each) { body(each, *kind); });
    };
    test("convert and add integers of any number and alignment", testIntegers);
    test("survive floats that are no audio", testOddFloats);
    test("dither", testDither);
    test("ramp gains and mix", testGains);
    test("measure peak and energy", testMeters);
    test("measure true peaks", testTruePeak);
  }
  run.it("no result depends on the kind of kernels",
         [&kinds](Run& each) { testSame(each, *kinds.front(), *kinds.back()); });
  run.it("threads may work at the same time", [](Run& each) {
    std::array<double, 2> peaks{};
    const auto work = [&peaks](std::size_t index) {
      const std::vector<float> samples = Noise().samples(1000);
      kernels().peak(samples.data(), 1, samples.size(), &peaks[index]);
    };
    std::thread one(work, 0);
    std::thread other(work, 1);
    one.join();
    other.join();
    each.expect(peaks[0] == peaks[1] && peaks[0] > 0.9, "both find the same");
  });
  return run.finish();
}
