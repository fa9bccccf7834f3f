#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chunk-holds.hpp"

namespace zerocast {

// The zero-copy sends of one socket that are in flight: which chunks each of them needs.
//
// The kernel numbers the accepted zero-copy sends of a socket from 0 with 32 bits that wrap, and
// reports their completion by ranges of numbers, in any order.
// Source: Kernel msg_zerocopy.rst, "Notification Reception" and "Notification Batching".
//
// Ownership: holds every chunk of a send until its completion.
// Threads: one.
class CompletionLedger {
 public:
  // More sends than that in flight to one socket mean a peer that acknowledges nothing: the
  // caller of `isFull` sends plainly until some are completed.
  static constexpr std::uint32_t maxOutstanding = 256;

  explicit CompletionLedger(std::uint32_t firstId = 0) noexcept
      : nextId_(firstId), oldestId_(firstId) {}

  [[nodiscard]] bool isFull() const noexcept { return outstandingIds() >= maxOutstanding; }

  // Notes a send that the kernel has just accepted, whole or in part, and holds its chunks.
  // Failure: aborts when the ledger is full, which is to be asked before the send.
  void accept(std::span<const std::uint32_t> handles, ChunkHolds& holds);

  // Ends the sends `first`..`last`, both included, and releases their chunks. Numbers that are
  // not in flight are ignored. Returns how many sends it ended.
  std::uint32_t complete(std::uint32_t first, std::uint32_t last, ChunkHolds& holds) noexcept;

  // Releases everything, although the kernel may still read it: only right before the memory is
  // given back to the system for good, which the kernel survives.
  void abandon(ChunkHolds& holds) noexcept;

  // Sends that the kernel has not completed.
  [[nodiscard]] std::uint32_t outstanding() const noexcept { return outstanding_; }

 private:
  struct Send {
    std::uint32_t firstHandle;
    std::uint32_t handleCount;
    bool inFlight;
  };

  // Elements that are known by numbers which rise by one and wrap. A power of two of slots keeps
  // every number in a slot of its own, also across the wrap. An idle socket has no slots at all.
  template <typename T>
  struct Window {
    std::vector<T> slots;

    [[nodiscard]] T& operator[](std::uint32_t number) noexcept {
      return slots[number & (static_cast<std::uint32_t>(slots.size()) - 1)];
    }

    void makeRoom(std::uint32_t oldest, std::uint32_t next, std::uint32_t more);
  };

  [[nodiscard]] std::uint32_t outstandingIds() const noexcept { return nextId_ - oldestId_; }
  void end(std::uint32_t id, ChunkHolds& holds) noexcept;
  void forgetEnded() noexcept;

  std::uint32_t nextId_;
  std::uint32_t oldestId_;
  std::uint32_t outstanding_ = 0;
  std::uint32_t nextHandle_ = 0;
  std::uint32_t oldestHandle_ = 0;
  Window<Send> sends_;
  Window<std::uint32_t> handles_;
};

}  // namespace zerocast
