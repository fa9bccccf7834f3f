#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "audio-socket.hpp"
#include "input.hpp"

namespace zerocast::fuzz {

// The chunks of a ring, each in memory of its own that is spoilt as soon as nobody needs it, and
// written anew before it is sent again.
class ChunkStore {
 public:
  static constexpr std::uint32_t count = 24;

  ChunkStore() {
    for (std::uint32_t handle = 0; handle < count; ++handle) handles_.push_back(handle);
  }

  // The chunks `first` to `first + length` - 1, with new content where there is none.
  [[nodiscard]] Batch window(std::uint32_t first, std::uint32_t length, Input& input) {
    for (std::uint32_t handle = first; handle < first + length; ++handle) {
      if (!isFilled_[handle]) fill(handle, input);
    }
    return {std::span(pieces_).subspan(first, length), std::span(handles_).subspan(first, length)};
  }

  // What the fan-out says that nobody needs any more.
  void giveBack(std::uint32_t handle) {
    check(handle < count && isFilled_[handle], "only what was in use comes back, and only once");
    isFilled_[handle] = false;
    std::fill(memory_[handle].begin(), memory_[handle].end(), std::byte{0xdd});
  }

  [[nodiscard]] bool isEmpty() const {
    return std::none_of(isFilled_.begin(), isFilled_.end(), [](bool filled) { return filled; });
  }

  [[nodiscard]] static std::vector<std::byte> wireOf(const Piece& piece, Framing framing) {
    const std::byte* const start =
        piece.message - (framing == Framing::webSocket ? piece.frameHeaderBytes : 0);
    return {start, piece.message + piece.messageBytes};
  }

 private:
  static constexpr std::uint32_t headroom = 16;
  static constexpr std::uint32_t maxBytes = 300;

  void fill(std::uint32_t handle, Input& input) {
    std::array<std::byte, headroom + maxBytes>& memory = memory_[handle];
    version_ += 1;
    for (std::size_t at = 0; at < memory.size(); ++at) {
      memory[at] = static_cast<std::byte>(version_ * 31 + handle * 7 + at);
    }
    const std::uint32_t bytes = 1 + input.byte() * (maxBytes - 1) / 255;
    pieces_[handle] = {memory.data() + headroom, bytes, input.below(headroom + 1)};
    isFilled_[handle] = true;
  }

  std::array<std::array<std::byte, headroom + maxBytes>, count> memory_{};
  std::array<Piece, count> pieces_{};
  std::array<bool, count> isFilled_{};
  std::vector<std::uint32_t> handles_;
  std::uint32_t version_ = 0;
};

// What a peer must have got, told by the outcomes of its sends.
struct Expectation {
  std::vector<std::byte> wire;
  // The rest of a chunk that was cut, which Node writes.
  std::vector<std::byte> rest;

  void add(const Outcome& outcome, std::span<const Piece> chunks, Framing framing) {
    const bool isCut = outcome.status == Status::cut;
    if (outcome.status != Status::sent && !isCut) {
      check(outcome.chunks == 0, "nothing is sent otherwise");
      return;
    }
    const auto whole = static_cast<std::size_t>(outcome.chunks);
    check(whole + (isCut ? 1 : 0) <= chunks.size(), "no more chunks than there are");
    check(isCut || whole == chunks.size(), "sent means all");
    for (const Piece& piece : chunks.first(whole)) append(wire, ChunkStore::wireOf(piece, framing));
    if (!isCut) return;
    std::vector<std::byte> next = ChunkStore::wireOf(chunks[whole], framing);
    const auto begun = static_cast<std::size_t>(outcome.detail);
    check(outcome.detail >= 0 && begun < next.size(), "a cut lies within a chunk");
    const auto border = next.begin() + static_cast<std::ptrdiff_t>(begun);
    wire.insert(wire.end(), next.begin(), border);
    rest.assign(border, next.end());
  }

  static void append(std::vector<std::byte>& to, const std::vector<std::byte>& bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
  }
};

}  // namespace zerocast::fuzz
