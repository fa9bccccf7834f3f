#pragma once

#include <cstdint>
#include <ctime>

namespace zerocast {

[[nodiscard]] inline std::int64_t clockUs(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

// The clock of src/base/clock.ts.
[[nodiscard]] inline std::int64_t monotonicUs() noexcept { return clockUs(CLOCK_MONOTONIC); }

}  // namespace zerocast
