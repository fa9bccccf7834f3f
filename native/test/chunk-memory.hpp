#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "audio-socket.hpp"
#include "slab.hpp"

namespace zerocast::test {

// Chunks as a pool lays them out: in page-aligned memory, the header of a WebSocket frame right
// before each message, and bytes around them that are nobody's to send.
class ChunkMemory {
 public:
  explicit ChunkMemory(const std::vector<std::uint32_t>& messageBytes,
                       std::uint32_t firstHandle = 0) {
    std::size_t bytes = 0;
    for (const std::uint32_t size : messageBytes) bytes += headroom + size;
    slab_ = Slab::allocate(bytes);
    for (std::size_t at = 0; at < bytes; ++at) slab_->data()[at] = pattern(at);
    std::size_t at = 0;
    for (const std::uint32_t size : messageBytes) {
      // The two lengths of frame headers that audio has.
      const std::uint32_t headerBytes = pieces_.size() % 2 == 0 ? 4 : 10;
      handles_.push_back(firstHandle + static_cast<std::uint32_t>(pieces_.size()));
      pieces_.push_back({slab_->data() + at + headroom, size, headerBytes});
      at += headroom + size;
    }
  }

  [[nodiscard]] Batch batch() const { return {pieces_, handles_}; }
  [[nodiscard]] Batch batch(std::size_t first, std::size_t count) const {
    return {std::span(pieces_).subspan(first, count), std::span(handles_).subspan(first, count)};
  }

  // What a peer is to get.
  [[nodiscard]] std::vector<std::byte> wire(Framing framing, std::size_t first,
                                            std::size_t count) const {
    std::vector<std::byte> bytes;
    for (std::size_t index = first; index < first + count; ++index) {
      const Piece& piece = pieces_[index];
      const std::ptrdiff_t header = framing == Framing::webSocket ? piece.frameHeaderBytes : 0;
      bytes.insert(bytes.end(), piece.message - header, piece.message + piece.messageBytes);
    }
    return bytes;
  }
  [[nodiscard]] std::vector<std::byte> wire(Framing framing = Framing::tcp) const {
    return wire(framing, 0, pieces_.size());
  }

 private:
  static constexpr std::size_t headroom = 32;

  // A prime period, so that no shift of a few bytes, or of a chunk, looks the same.
  [[nodiscard]] static std::byte pattern(std::size_t at) {
    return static_cast<std::byte>(at % 251 + at / 251);
  }

  std::optional<Slab> slab_;
  std::vector<Piece> pieces_;
  std::vector<std::uint32_t> handles_;
};

}  // namespace zerocast::test
