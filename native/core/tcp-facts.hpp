#pragma once

#include <cstddef>
#include <span>

namespace zerocast {

// What the kernel knows of one TCP connection, in this order. Source: tcp(7), TCP_INFO.
//
// Units: microseconds, bytes, bytes per second, or a count since the connection began; the age of
// the newest acknowledgement in milliseconds, as the kernel has it.
enum class TcpFact : std::size_t {
  roundTripUs,
  roundTripDeviationUs,
  leastRoundTripUs,
  // Given to the kernel and not acknowledged by the peer, and what of that was never sent.
  queuedBytes,
  unsentBytes,
  retransmissions,
  // Of the oldest segment on the way, one after the other.
  timeouts,
  ackAgeMs,
  deliveryBytesPerSecond,
  // How long the peer had no room while there was something for it.
  receiverLimitedUs,
  count,
};

inline constexpr auto tcpFactCount = static_cast<std::size_t>(TcpFact::count);

// What this kernel does not tell is NaN; so is everything when there is no such connection.
//
// Failure: returns an errno, else 0.
int readTcpFacts(int fd, std::span<double, tcpFactCount> into) noexcept;

}  // namespace zerocast
