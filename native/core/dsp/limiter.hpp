#pragma once

#include <cstddef>
#include <span>

namespace zerocast::dsp {

// Keeps samples below a ceiling: they come out late, and the gain is down before a peak is. The
// state is made in src/dsp/limiter.ts, which tells what lies where in it.
//
// Threads: any, one at a time per state.

// Whether a state holds what it says: `limit` relies on it.
bool isLimiter(std::span<const double> state) noexcept;

// Of one that is a limiter.
std::size_t limiterChannels(std::span<const double> state) noexcept;

// Changes whole frames in place.
void limit(std::span<double> state, std::span<float> samples) noexcept;

}  // namespace zerocast::dsp
