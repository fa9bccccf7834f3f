#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace zerocast {

// Where the fields of a message lie. Source: src/protocol/layout.ts.
inline constexpr std::size_t headerBytes = 26;
inline constexpr std::size_t timeMessageBytes = headerBytes + 8;

// Bytes of a player that belong together: a whole Time request, or a piece of anything else.
struct MessagePart {
  bool isTime;
  // Valid until the next call.
  std::span<const std::byte> bytes;
};

// Tells the Time requests of one player from everything else, however the stream is split.
//
// Only Time messages of the usual size are told apart; what else there is, and whether it is
// allowed, is up to the reader of the rest.
class MessageFraming {
 public:
  // Takes the next part off the front of `data`; none when what is left is the beginning of a
  // header or of a Time request, which is kept.
  [[nodiscard]] std::optional<MessagePart> next(std::span<const std::byte>& data) noexcept;

  // What was kept.
  [[nodiscard]] std::span<const std::byte> kept() const noexcept {
    return std::span(kept_).first(keptBytes_);
  }

 private:
  [[nodiscard]] bool keep(std::span<const std::byte>& data, std::size_t upTo) noexcept;

  std::array<std::byte, timeMessageBytes> kept_{};
  std::uint8_t keptBytes_ = 0;
  // What is still to come of a message that is no Time request.
  std::uint64_t otherBytes_ = 0;
};

}  // namespace zerocast
