#include "completion-ledger.hpp"

#include <bit>
#include <cstdlib>
#include <utility>

namespace zerocast {

template <typename T>
void CompletionLedger::Window<T>::makeRoom(std::uint32_t oldest, std::uint32_t next,
                                           std::uint32_t more) {
  constexpr std::uint32_t firstSlots = 8;
  const std::uint32_t needed = next - oldest + more;
  if (needed <= slots.size()) return;
  Window grown{std::vector<T>(std::bit_ceil(needed < firstSlots ? firstSlots : needed))};
  for (std::uint32_t number = oldest; number != next; ++number) grown[number] = (*this)[number];
  slots = std::move(grown.slots);
}

void CompletionLedger::accept(std::span<const std::uint32_t> handles, ChunkHolds& holds) {
  if (isFull()) std::abort();
  const auto handleCount = static_cast<std::uint32_t>(handles.size());
  sends_.makeRoom(oldestId_, nextId_, 1);
  handles_.makeRoom(oldestHandle_, nextHandle_, handleCount);
  sends_[nextId_++] = {nextHandle_, handleCount, true};
  for (const std::uint32_t handle : handles) {
    holds.hold(handle);
    handles_[nextHandle_++] = handle;
  }
  ++outstanding_;
}

std::uint32_t CompletionLedger::complete(std::uint32_t first, std::uint32_t last,
                                         ChunkHolds& holds) noexcept {
  // Offsets instead of comparisons of numbers: both the range and the sends in flight may wrap.
  const std::uint32_t lastOffset = last - first;
  const std::uint32_t before = outstanding_;
  const std::uint32_t known = outstandingIds();
  if (lastOffset < known) {
    for (std::uint32_t offset = 0; offset <= lastOffset; ++offset) end(first + offset, holds);
  } else {
    // A range that is wider than everything in flight could be 2^32 numbers long.
    for (std::uint32_t id = oldestId_; id != nextId_; ++id) {
      if (id - first <= lastOffset) end(id, holds);
    }
  }
  forgetEnded();
  return before - outstanding_;
}

void CompletionLedger::abandon(ChunkHolds& holds) noexcept {
  complete(oldestId_, nextId_ - 1, holds);
}

void CompletionLedger::end(std::uint32_t id, ChunkHolds& holds) noexcept {
  if (id - oldestId_ >= outstandingIds()) return;
  Send& send = sends_[id];
  if (!send.inFlight) return;
  send.inFlight = false;
  --outstanding_;
  for (std::uint32_t index = 0; index < send.handleCount; ++index) {
    holds.release(handles_[send.firstHandle + index]);
  }
}

// The handles of an ended send keep their slots until all older sends have ended: at most those of
// `maxOutstanding` sends.
void CompletionLedger::forgetEnded() noexcept {
  while (oldestId_ != nextId_ && !sends_[oldestId_].inFlight) {
    const Send& send = sends_[oldestId_++];
    oldestHandle_ = send.firstHandle + send.handleCount;
  }
}

}  // namespace zerocast
