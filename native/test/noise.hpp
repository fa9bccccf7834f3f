#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zerocast::test {

// Numbers from -1 to 1, always the same.
class Noise {
 public:
  double next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 33) / 0x1p30 - 1;
  }

  std::vector<float> samples(std::size_t count, double level = 1) {
    std::vector<float> samples(count);
    for (float& sample : samples) sample = static_cast<float>(next() * level);
    return samples;
  }

 private:
  std::uint64_t state_ = 1;
};

}  // namespace zerocast::test
