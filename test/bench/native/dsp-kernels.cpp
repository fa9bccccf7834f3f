// Measures each kernel of native/core/dsp on 20 ms of stereo, in turns:
//
//   dsp-kernels ROUNDS WINDOW_MS
//
// Those that are compiled once only are measured as often as the others.
// Prints one JSON line: for each kind of kernels the ns per sample of each operation, the best of
// all rounds, as other programs can only make it slower.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "dsp-scalar.hpp"
#include "dsp/kernels.hpp"
#include "dsp/limiter.hpp"
#include "dsp/plain-loops.hpp"
#include "dsp/spectra.hpp"
#include "limiter-state.hpp"
#include "mel-tables.hpp"

using namespace zerocast::dsp;

namespace {

constexpr std::size_t channels = 2;
constexpr std::size_t count = 1920;

struct Memory {
  std::vector<float> samples = std::vector<float>(count, 0.25F);
  std::vector<float> other = std::vector<float>(count, 0.125F);
  std::vector<std::byte> pcm = std::vector<std::byte>(count * 4);
  std::vector<std::byte> more = std::vector<std::byte>(count * 4);
  std::vector<float> history = std::vector<float>(truePeakHistoryFrames * channels);
  std::vector<double> filters =
      std::vector<double>(filterHeader + filterChannelNumbers * channels, 0.1);
  std::vector<double> limiter = zerocast::test::newLimiterState(240, channels);
  std::vector<float> plan = zerocast::test::newFftPlan(count);
  std::vector<float> spectrum = std::vector<float>(count + 2);
  std::int32_t picks[2] = {1, 0};
  std::uint32_t dither = 1;
  double out[channels]{};
};

struct Operation {
  const char* name;
  std::function<void(const Kernels&, Memory&)> run;
};

// Named as in test/bench/dsp.ts.
const Operation operations[] = {
    {"16 bits to float",
     [](const Kernels& k, Memory& m) {
       k.toFloat(m.pcm.data(), Layout::s16, m.other.data(), count);
     }},
    {"24 bits to float",
     [](const Kernels& k, Memory& m) {
       k.toFloat(m.pcm.data(), Layout::s24, m.other.data(), count);
     }},
    {"packed 24 bits to float",
     [](const Kernels& k, Memory& m) {
       k.toFloat(m.pcm.data(), Layout::s24Packed, m.other.data(), count);
     }},
    {"float to 16 bits",
     [](const Kernels& k, Memory& m) {
       k.fromFloat(m.samples.data(), m.pcm.data(), Layout::s16, count, nullptr);
     }},
    {"float to 16 bits, dithered",
     [](const Kernels& k, Memory& m) {
       k.fromFloat(m.samples.data(), m.pcm.data(), Layout::s16, count, &m.dither);
     }},
    {"float to 24 bits",
     [](const Kernels& k, Memory& m) {
       k.fromFloat(m.samples.data(), m.pcm.data(), Layout::s24, count, nullptr);
     }},
    {"saturating add, 16 bits",
     [](const Kernels& k, Memory& m) {
       k.saturatingAdd(m.pcm.data(), m.more.data(), Layout::s16, count);
     }},
    {"gain ramp", [](const Kernels& k,
                     Memory& m) { k.gainRamp(m.samples.data(), channels, count, 0.9, 1.0 / 0.9); }},
    {"mix",
     [](const Kernels& k, Memory& m) { k.mix(m.samples.data(), m.other.data(), count, 1e-9F); }},
    {"channel pick",
     [](const Kernels&, Memory& m) {
       pickChannels(m.samples.data(), channels, count / channels, m.picks, 2, m.other.data());
     }},
    {"peak", [](const Kernels& k, Memory& m) { k.peak(m.samples.data(), channels, count, m.out); }},
    {"RMS",
     [](const Kernels& k, Memory& m) { k.squares(m.samples.data(), channels, count, m.out); }},
    {"true peak",
     [](const Kernels& k, Memory& m) {
       k.truePeak(m.history.data(), m.samples.data(), channels, count, m.out);
     }},
    {"K-weighted energy",
     [](const Kernels&, Memory& m) {
       filteredSquares(m.filters.data(), m.samples.data(), channels, count, m.out);
     }},
    {"limiter", [](const Kernels&, Memory& m) { limit(m.limiter, m.samples); }},
    {"Fourier transform",
     [](const Kernels&, Memory& m) { realFft(m.plan, m.samples, m.spectrum); }},
};

double nsPerSample(const Operation& operation, const Kernels& kernels, Memory& memory,
                   double windowMs) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  std::chrono::duration<double, std::milli> passed{};
  std::size_t calls = 0;
  do {
    for (int index = 0; index < 50; ++index) operation.run(kernels, memory);
    calls += 50;
    passed = Clock::now() - start;
  } while (passed.count() < windowMs);
  return passed.count() * 1e6 / static_cast<double>(calls * count);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
  const double windowMs = argc > 2 ? std::atof(argv[2]) : 20;
  std::vector<const Kernels*> kinds{&scalarKernels, &baselineKernels};
  if (&kernels() != &baselineKernels) kinds.push_back(&kernels());
  Memory memory;
  const char* before = "{";
  for (const Operation& operation : operations) {
    std::vector<double> best(kinds.size(), 1e9);
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        best[kind] = std::min(best[kind], nsPerSample(operation, *kinds[kind], memory, windowMs));
      }
    }
    std::printf("%s\"%s\":{", before, operation.name);
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
      std::printf("%s\"%s\":%.4f", kind == 0 ? "" : ",", kinds[kind]->name, best[kind]);
    }
    std::printf("}");
    before = ",";
  }
  std::printf("}\n");
}
