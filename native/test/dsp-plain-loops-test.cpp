#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "dsp/plain-loops.hpp"
#include "noise.hpp"
#include "tap.hpp"

using namespace zerocast::dsp;
using zerocast::test::Noise;
using zerocast::test::Run;

namespace {

bool isClose(double one, double other) {
  return std::fabs(one - other) <= 1e-9 * std::max(1.0, std::fabs(other));
}

void testFilters(Run& run) {
  for (const std::size_t channels : {1U, 2U, 3U, 6U, 8U}) {
    constexpr std::array<double, filterHeader> coefficients{1,   0.5, 0.25, -0.5, 0.125,
                                                            0.5, 1,   0.5,  0.25, -0.125};
    const std::size_t count = 300 * channels;
    const std::vector<float> samples = Noise().samples(count);
    std::vector<double> state(filterHeader + filterChannelNumbers * channels);
    std::copy(coefficients.begin(), coefficients.end(), state.begin());
    std::vector<double> sums(channels);
    std::vector<double> total(channels);
    for (const std::size_t frames : {std::size_t{299}, std::size_t{1}}) {
      const float* const from = samples.data() + (frames == 1 ? 299 * channels : 0);
      filteredSquares(state.data(), from, channels, frames * channels, sums.data());
      for (std::size_t channel = 0; channel < channels; ++channel) total[channel] += sums[channel];
    }
    bool same = true;
    for (std::size_t channel = 0; channel < channels; ++channel) {
      // The direct form, as the textbook has it.
      const auto& c = coefficients;
      double x1 = 0, x2 = 0, y1 = 0, y2 = 0, z1 = 0, z2 = 0, wanted = 0;
      for (std::size_t at = channel; at < count; at += channels) {
        const auto x = static_cast<double>(samples[at]);
        const double y = c[0] * x + c[1] * x1 + c[2] * x2 - c[3] * y1 - c[4] * y2;
        const double z = c[5] * y + c[6] * y1 + c[7] * y2 - c[8] * z1 - c[9] * z2;
        x2 = x1, x1 = x, y2 = y1, y1 = y, z2 = z1, z1 = z;
        wanted += z * z;
      }
      same = same && isClose(total[channel], wanted);
    }
    run.expect(same, "two filters follow one another");

    state[filterHeader] = 1e-200;
    state[filterHeader + 1] = std::numeric_limits<double>::quiet_NaN();
    filteredSquares(state.data(), samples.data(), channels, 0, sums.data());
    run.expect(state[filterHeader] == 0 && state[filterHeader + 1] == 0,
               "what is tiny or no number is forgotten");
  }
}

void testPicks(Run& run) {
  const float samples[] = {1, 2, 3, 10, 20, 30};
  const std::int32_t picks[] = {2, -1, 0, 2};
  const float wanted[] = {3, 2, 1, 3, 30, 20, 10, 30};
  float out[8]{};
  pickChannels(samples, 3, 2, picks, 4, out);
  run.expect(std::equal(std::begin(out), std::end(out), wanted),
             "channels go where they are wanted");
}

}  // namespace

int main() {
  Run run;
  run.it("filters follow one another, for any number of channels", testFilters);
  run.it("channels are picked", testPicks);
  return run.finish();
}
