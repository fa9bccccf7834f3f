#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace zerocast::test {

// As src/dsp/limiter.ts makes it.
inline std::vector<double> newLimiterState(std::size_t frames, std::size_t channels) {
  constexpr std::size_t header = 10;
  std::vector<double> state(header + frames * channels + frames + 2 * (frames + 1));
  state[0] = static_cast<double>(frames);
  state[1] = static_cast<double>(channels);
  state[2] = 0.8;
  state[3] = 0.01;
  state[5] = 1;
  state[6] = static_cast<double>(frames);
  std::fill_n(state.begin() + static_cast<std::ptrdiff_t>(header + frames * channels), frames, 1.0);
  return state;
}

}  // namespace zerocast::test
