#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "dsp/limiter.hpp"
#include "limiter-state.hpp"
#include "tap.hpp"

using namespace zerocast::dsp;
using zerocast::test::newLimiterState;
using zerocast::test::Run;

namespace {

constexpr std::size_t lookAhead = 48;

std::vector<float> burst(std::size_t frames, std::size_t channels) {
  std::vector<float> samples(frames * channels);
  for (std::size_t at = 0; at < samples.size(); ++at) {
    const std::size_t frame = at / channels;
    const double level = frame >= 1000 && frame < 1100 ? 3 : 0.5;
    samples[at] = static_cast<float>(level * std::sin(static_cast<double>(frame) * 0.7));
  }
  return samples;
}

void testCeiling(Run& run) {
  for (const std::size_t channels : {std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
    const std::vector<float> before = burst(4000, channels);
    std::vector<float> whole = before;
    std::vector<double> state = newLimiterState(lookAhead, channels);
    run.expect(isLimiter(state), "the state is one");
    limit(state, whole);
    const auto [lowest, highest] = std::minmax_element(whole.begin(), whole.end());
    run.expect(*highest <= 0.8F && *lowest >= -0.8F, "nothing passes the ceiling");
    run.expect(*highest > 0.75F, "what is loud stays loud");
    const std::size_t delay = lookAhead * channels;
    run.expect(
        std::equal(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(900 * channels),
                   whole.begin() + static_cast<std::ptrdiff_t>(delay)),
        "what is quiet is only delayed");

    std::vector<float> pieces = before;
    state = newLimiterState(lookAhead, channels);
    std::size_t frames = 0;
    for (std::size_t at = 0; at < pieces.size(); at += frames * channels) {
      frames = std::min(frames % 97 + 1, (pieces.size() - at) / channels);
      limit(state, std::span(pieces).subspan(at, frames * channels));
    }
    run.expect(pieces == whole, "pieces are limited as the whole is");
  }
}

void testLies(Run& run) {
  const std::vector<double> good = newLimiterState(lookAhead, 2);
  for (std::size_t size = 0; size < good.size(); ++size) {
    run.expect(!isLimiter(std::span(good).first(size)), "a shorter state is none");
  }
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  for (const std::size_t field : {0U, 1U, 4U, 8U, 9U}) {
    for (const double value : {-1.0, 0.5, 1e300, nan, 70.0}) {
      std::vector<double> bad = good;
      bad[field] = value;
      run.expect(!isLimiter(bad), "a state that points outside of itself is none");
    }
  }
  std::vector<double> full = good;
  full[9] = lookAhead + 1;
  std::vector<float> samples = burst(300, 2);
  run.expect(isLimiter(full), "a full queue is possible");
  limit(full, samples);
  run.expect(isLimiter(full), "and stays within its memory");
}

}  // namespace

int main() {
  Run run;
  run.it("a limiter keeps its ceiling, late, in any pieces", testCeiling);
  run.it("a state of a limiter that lies is refused", testLies);
  return run.finish();
}
