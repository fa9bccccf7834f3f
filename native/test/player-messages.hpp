#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "little-endian.hpp"
#include "message-framing.hpp"

namespace zerocast::test {

using Bytes = std::vector<std::byte>;

inline constexpr std::uint16_t timeType = 4;
inline constexpr std::uint16_t clientInfoType = 7;

inline Bytes messageOf(std::uint16_t type, std::uint16_t id, std::size_t bodyBytes) {
  Bytes message(headerBytes + bodyBytes, std::byte{0x5a});
  writeU16(message, 0, type);
  writeU16(message, 2, id);
  writeU16(message, 4, 0);
  writeU32(message, 22, static_cast<std::uint32_t>(bodyBytes));
  return message;
}

// Asks at 5 s and 250000 us of the player's clock.
inline Bytes timeRequest(std::uint16_t id) {
  Bytes request = messageOf(timeType, id, timeMessageBytes - headerBytes);
  writeU32(request, 6, 5);
  writeU32(request, 10, 250'000);
  return request;
}

inline Bytes operator+(Bytes left, std::span<const std::byte> right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

inline Bytes timeRequests(std::uint16_t firstId, std::size_t count) {
  Bytes requests;
  for (std::size_t index = 0; index < count; ++index) {
    requests = std::move(requests) + timeRequest(static_cast<std::uint16_t>(firstId + index));
  }
  return requests;
}

inline std::int64_t timeUsOf(std::span<const std::byte> message, std::size_t at) {
  return std::int64_t{static_cast<std::int32_t>(readU32(message, at))} * 1'000'000 +
         readU32(message, at + 4);
}

// The ids that `bytes` answer, one reply behind the other; empty when they are anything else.
inline std::vector<std::uint16_t> repliedIds(std::span<const std::byte> bytes) {
  std::vector<std::uint16_t> ids;
  for (; bytes.size() >= timeMessageBytes; bytes = bytes.subspan(timeMessageBytes)) {
    const std::uint16_t id = readU16(bytes, 2);
    if (readU16(bytes, 0) != timeType || readU16(bytes, 4) != id) return {};
    ids.push_back(id);
  }
  return bytes.empty() ? ids : std::vector<std::uint16_t>{};
}

inline std::vector<std::uint16_t> idsFrom(std::uint16_t first, std::size_t count) {
  std::vector<std::uint16_t> ids(count);
  std::generate(ids.begin(), ids.end(), [&first] { return first++; });
  return ids;
}

}  // namespace zerocast::test
