#include "time-reply.hpp"

#include "little-endian.hpp"

namespace zerocast {

namespace {

// Source: src/protocol/layout.ts.
constexpr std::size_t idOffset = 2;
constexpr std::size_t refersToOffset = 4;
constexpr std::size_t sentOffset = 6;
constexpr std::size_t receivedOffset = 14;
constexpr std::size_t latencyOffset = headerBytes;
constexpr std::int64_t usPerSecond = 1'000'000;

std::int64_t readTimeUs(std::span<const std::byte> message, std::size_t at) noexcept {
  const auto seconds = static_cast<std::int32_t>(readU32(message, at));
  const auto us = static_cast<std::int32_t>(readU32(message, at + 4));
  return seconds * usPerSecond + us;
}

// Microseconds from 0 to 999999, also below zero; seconds beyond 32 bits wrap.
void writeTimeUs(std::span<std::byte> message, std::size_t at, std::int64_t timeUs) noexcept {
  std::int64_t seconds = timeUs / usPerSecond;
  std::int64_t us = timeUs % usPerSecond;
  if (us < 0) {
    us += usPerSecond;
    seconds -= 1;
  }
  writeU32(message, at, static_cast<std::uint32_t>(seconds));
  writeU32(message, at + 4, static_cast<std::uint32_t>(us));
}

}  // namespace

std::int64_t turnIntoReply(std::span<std::byte, timeMessageBytes> request,
                           const TimeStamps& stamps) noexcept {
  const std::int64_t askedUs = readTimeUs(request, sentOffset);
  writeU16(request, refersToOffset, readU16(request, idOffset));
  writeTimeUs(request, sentOffset, stamps.sentUs);
  writeTimeUs(request, receivedOffset, stamps.receivedUs);
  writeTimeUs(request, latencyOffset, stamps.receivedUs - askedUs);
  return askedUs;
}

}  // namespace zerocast
