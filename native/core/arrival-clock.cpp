#include "arrival-clock.hpp"

#include <cstdlib>

#include "monotonic-clock.hpp"

namespace zerocast {

namespace {

// A look that was interrupted says nothing about the wall clock.
constexpr std::int64_t maxLookUs = 100;

}  // namespace

ClockReading readClocks() noexcept {
  const std::int64_t beforeUs = monotonicUs();
  const std::int64_t wallUs = clockUs(CLOCK_REALTIME);
  return {beforeUs, wallUs, monotonicUs()};
}

void ArrivalClock::look(const ClockReading& reading) noexcept {
  const auto& [beforeUs, wallUs, afterUs] = reading;
  const std::int64_t offsetUs = wallUs - (beforeUs + afterUs) / 2;
  const bool isExact = afterUs - beforeUs <= maxLookUs;
  const bool keepsStep = isExact && std::abs(offsetUs - offsetUs_) <= maxDriftUs;
  if (!keepsStep) steadySinceUs_ = afterUs;
  if (isExact) offsetUs_ = offsetUs;
}

std::int64_t ArrivalClock::arrivalUs(std::int64_t stampUs, std::int64_t readUs) const noexcept {
  const std::int64_t arrivalUs = stampUs - offsetUs_;
  const bool isPlausible = stampUs > 0 && arrivalUs >= steadySinceUs_ && arrivalUs <= readUs &&
                           readUs - arrivalUs <= maxWaitUs;
  return isPlausible ? arrivalUs : readUs;
}

}  // namespace zerocast
