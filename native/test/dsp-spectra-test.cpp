#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "dsp/spectra.hpp"
#include "mel-tables.hpp"
#include "noise.hpp"
#include "tap.hpp"

using namespace zerocast::dsp;
using zerocast::test::MelTables;
using zerocast::test::newFftPlan;
using zerocast::test::newMelTables;
using zerocast::test::Noise;
using zerocast::test::Run;

namespace {

// The power of one frequency, by the definition.
double powerOf(const float* samples, std::size_t size, std::size_t bin) {
  double real = 0;
  double imaginary = 0;
  for (std::size_t index = 0; index < size; ++index) {
    const double angle =
        2 * std::numbers::pi * static_cast<double>(bin * index % size) / static_cast<double>(size);
    real += static_cast<double>(samples[index]) * std::cos(angle);
    imaginary -= static_cast<double>(samples[index]) * std::sin(angle);
  }
  return real * real + imaginary * imaginary;
}

void testTransforms(Run& run) {
  for (const std::size_t size : {4U, 6U, 8U, 10U, 16U, 30U, 64U, 90U, 400U, 512U, 1000U}) {
    std::vector<float> plan = newFftPlan(size);
    run.expect(fftSize(plan) == size, "the plan is one");
    const std::vector<float> samples = Noise().samples(size);
    std::vector<float> out(size + 2);
    realFft(plan, samples, out);
    bool same = true;
    for (std::size_t bin = 0; bin <= size / 2; ++bin) {
      const auto real = static_cast<double>(out[2 * bin]);
      const auto imaginary = static_cast<double>(out[2 * bin + 1]);
      const double power = real * real + imaginary * imaginary;
      const double wanted = powerOf(samples.data(), size, bin);
      same = same && std::fabs(power - wanted) < 1e-4 * static_cast<double>(size);
    }
    run.expect(same, "every frequency has its power");
  }
}

void testRows(Run& run) {
  for (const std::size_t bands : {1U, 3U, 33U}) {
    MelTables made = newMelTables(64, 10, bands);
    MelShape shape;
    run.expect(readMelShape(made.shape, made.tables, shape), "the tables are some");
    const std::vector<float> samples = Noise().samples(200);
    const std::size_t rows = melRowCount(shape, samples.size());
    run.expect(rows == 14, "rows are whole windows");
    std::vector<float> out(rows * bands);
    melRows(shape, made.tables, samples, out);
    bool same = true;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t band = 0; band < bands; ++band) {
        const double wanted = powerOf(samples.data() + 10 * row, 64, band);
        same = same && std::fabs(static_cast<double>(out[row * bands + band]) - wanted) < 1e-2;
      }
    }
    run.expect(same, "each row follows the one before, without a gap");
  }
}

void testCentres(Run& run) {
  MelTables made = newMelTables(64, 10, 5, true);
  MelShape shape;
  run.expect(readMelShape(made.shape, made.tables, shape), "the tables are some");
  run.expect(melRowCount(shape, 32) == 0, "too few samples cannot be mirrored");
  const std::vector<float> samples = Noise().samples(45);
  std::vector<float> mirrored;
  for (int at = -32; at < 77; ++at) {
    const int place = at < 0 ? -at : at > 44 ? 88 - at : at;
    mirrored.push_back(samples[static_cast<std::size_t>(place)]);
  }
  std::vector<float> out(4 * 5);
  run.expect(melRowCount(shape, samples.size()) == 4, "there is a row for every whole hop");
  melRows(shape, made.tables, samples, out);
  bool same = true;
  for (std::size_t row = 0; row < 4; ++row) {
    for (std::size_t band = 0; band < 5; ++band) {
      const double wanted = powerOf(mirrored.data() + 10 * row, 64, band);
      same = same && std::fabs(static_cast<double>(out[row * 5 + band]) - wanted) < 1e-2;
    }
  }
  run.expect(same, "windows reach into the mirrored audio");
}

void testLies(Run& run) {
  const std::vector<float> plan = newFftPlan(16);
  run.expect(fftSize(std::span(plan).first(plan.size() - 1)) == 0, "a plan that is cut is none");
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float size : {0.0F, -4.0F, 2.0F, 14.0F, 15.0F, 16.5F, 1e30F, nan}) {
    std::vector<float> bad = plan;
    bad[0] = size;
    run.expect(fftSize(bad) == 0, "a plan of another size is none");
  }
  const MelTables good = newMelTables(16, 4, 3);
  MelShape shape;
  const std::size_t fields = good.shape.size();
  for (std::size_t field = 0; field < fields; ++field) {
    if (field == 1 || field == 3 || field == 4) continue;
    for (const std::int32_t value : {-1, 10, 1 << 30}) {
      std::vector<std::int32_t> bad = good.shape;
      bad[field] = value;
      run.expect(!readMelShape(bad, good.tables, shape), "bands outside of the spectrum are none");
    }
  }
  for (std::size_t size = 0; size < fields; ++size) {
    run.expect(!readMelShape(std::span(good.shape).first(size), good.tables, shape), "cut is none");
  }
}

}  // namespace

int main() {
  Run run;
  run.it("a transform gives the power of every frequency", testTransforms);
  run.it("mel rows lie one behind the other", testRows);
  run.it("rows may be centred", testCentres);
  run.it("plans that lie are refused", testLies);
  return run.finish();
}
