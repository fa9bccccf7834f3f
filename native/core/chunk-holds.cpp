#include "chunk-holds.hpp"

#include <cstdlib>

namespace zerocast {

void ChunkHolds::hold(std::uint32_t handle) {
  if (handle >= maxHandles) std::abort();
  if (handle >= chunks_.size()) {
    chunks_.resize(handle + 1);
    // Every chunk can be released at once: `release` never allocates.
    released_.reserve(chunks_.capacity());
  }
  Chunk& chunk = chunks_[handle];
  if (chunk.place != notReleased) takeBack(chunk);
  ++chunk.holds;
}

void ChunkHolds::release(std::uint32_t handle) noexcept {
  if (handle >= chunks_.size() || chunks_[handle].holds == 0) std::abort();
  Chunk& chunk = chunks_[handle];
  if (--chunk.holds > 0) return;
  chunk.place = static_cast<std::uint32_t>(released_.size());
  released_.push_back(handle);
}

std::size_t ChunkHolds::takeReleased(std::span<std::uint32_t> into) noexcept {
  std::size_t taken = 0;
  while (taken < into.size() && !released_.empty()) {
    const std::uint32_t handle = released_.back();
    released_.pop_back();
    chunks_[handle].place = notReleased;
    into[taken++] = handle;
  }
  return taken;
}

// The last of the released handles moves to the freed place.
void ChunkHolds::takeBack(Chunk& chunk) noexcept {
  const std::uint32_t moved = released_.back();
  released_[chunk.place] = moved;
  chunks_[moved].place = chunk.place;
  chunk.place = notReleased;
  released_.pop_back();
}

}  // namespace zerocast
