#include "message-framing.hpp"

#include <algorithm>

#include "little-endian.hpp"

namespace zerocast {

namespace {

// Source: src/protocol/layout.ts.
constexpr std::size_t typeOffset = 0;
constexpr std::size_t sizeOffset = 22;
constexpr std::uint16_t timeType = 4;

bool isTimeHeader(std::span<const std::byte> header) noexcept {
  return readU16(header, typeOffset) == timeType &&
         readU32(header, sizeOffset) == timeMessageBytes - headerBytes;
}

std::span<const std::byte> takeFront(std::span<const std::byte>& data,
                                     std::size_t bytes) noexcept {
  const auto front = data.first(bytes);
  data = data.subspan(bytes);
  return front;
}

}  // namespace

std::optional<MessagePart> MessageFraming::next(std::span<const std::byte>& data) noexcept {
  const bool isAtHeader = keptBytes_ == 0 && otherBytes_ == 0 && data.size() >= headerBytes;
  if (isAtHeader && !isTimeHeader(data)) otherBytes_ = headerBytes + readU32(data, sizeOffset);
  if (otherBytes_ > 0) {
    const auto here = static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), otherBytes_));
    otherBytes_ -= here;
    return MessagePart{false, takeFront(data, here)};
  }
  if (isAtHeader && data.size() >= timeMessageBytes) {
    return MessagePart{true, takeFront(data, timeMessageBytes)};
  }
  if (!keep(data, headerBytes)) return std::nullopt;
  const bool isTime = isTimeHeader(kept_);
  if (isTime && !keep(data, timeMessageBytes)) return std::nullopt;
  keptBytes_ = 0;
  if (!isTime) otherBytes_ = readU32(kept_, sizeOffset);
  return MessagePart{isTime, std::span(kept_).first(isTime ? timeMessageBytes : headerBytes)};
}

// Whether `upTo` bytes are kept by now.
bool MessageFraming::keep(std::span<const std::byte>& data, std::size_t upTo) noexcept {
  if (keptBytes_ < upTo) {
    const auto more = takeFront(data, std::min(data.size(), upTo - keptBytes_));
    std::copy(more.begin(), more.end(), kept_.begin() + keptBytes_);
    keptBytes_ = static_cast<std::uint8_t>(keptBytes_ + more.size());
  }
  return keptBytes_ >= upTo;
}

}  // namespace zerocast
