#pragma once

#include <cstdint>

namespace zerocast {

// Both clocks of the machine at one moment, which lies between the two looks at the monotonic one.
// Units: microseconds.
struct ClockReading {
  std::int64_t beforeUs;
  std::int64_t wallUs;
  std::int64_t afterUs;
};

[[nodiscard]] ClockReading readClocks() noexcept;

// When bytes came, by the monotonic clock: the kernel stamps them by the wall clock, which may be
// set while they wait.
//
// A stamp counts only when the clocks have kept step since then, else the time of the read does: an
// arrival is never later than its read, and too early by a small drift at most.
class ArrivalClock {
 public:
  // Two looks that differ by more mean that the wall clock was set, or slewed for seconds.
  static constexpr std::int64_t maxDriftUs = 1000;
  // A request that waits for longer is of no use to a player.
  static constexpr std::int64_t maxWaitUs = 2'000'000;

  // Before stamps are asked for.
  void look(const ClockReading& reading) noexcept;

  // `stampUs` is 0 when the kernel has given none.
  [[nodiscard]] std::int64_t arrivalUs(std::int64_t stampUs, std::int64_t readUs) const noexcept;

 private:
  // By how much the wall clock is ahead.
  std::int64_t offsetUs_ = 0;
  // Since when the clocks keep step.
  std::int64_t steadySinceUs_ = 0;
};

}  // namespace zerocast
