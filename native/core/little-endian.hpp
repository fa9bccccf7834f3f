#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace zerocast {

// Integers as the protocol has them, on machines of any kind.

[[nodiscard]] inline std::uint16_t readU16(std::span<const std::byte> from,
                                           std::size_t at) noexcept {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(from[at]) |
                                    std::to_integer<unsigned>(from[at + 1]) << 8);
}

[[nodiscard]] inline std::uint32_t readU32(std::span<const std::byte> from,
                                           std::size_t at) noexcept {
  return readU16(from, at) | std::uint32_t{readU16(from, at + 2)} << 16;
}

inline void writeU16(std::span<std::byte> into, std::size_t at, std::uint16_t value) noexcept {
  into[at] = static_cast<std::byte>(value & 0xff);
  into[at + 1] = static_cast<std::byte>(value >> 8);
}

inline void writeU32(std::span<std::byte> into, std::size_t at, std::uint32_t value) noexcept {
  writeU16(into, at, static_cast<std::uint16_t>(value & 0xffff));
  writeU16(into, at + 2, static_cast<std::uint16_t>(value >> 16));
}

}  // namespace zerocast
