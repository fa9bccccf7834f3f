#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "message-framing.hpp"

namespace zerocast {

struct TimeStamps {
  std::int64_t receivedUs;
  std::int64_t sentUs;
};

// Makes the reply out of a request, in place; returns what the clock of the player showed when it
// sent that. Source: docs/protocol.md, 6.2.
std::int64_t turnIntoReply(std::span<std::byte, timeMessageBytes> request,
                           const TimeStamps& stamps) noexcept;

}  // namespace zerocast
