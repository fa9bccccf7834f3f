#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace zerocast {

// Counts, per chunk, who still needs its memory: the tick that sends it, and every zero-copy send
// that the kernel has not completed. A chunk is known by a small number, its handle.
//
// Ownership: the memory belongs to the caller, who keeps it until `takeReleased` names its handle,
// and who then may give the handle to another chunk.
// Threads: one.
class ChunkHolds {
 public:
  // Handles are below this number. Far more than a pool has chunks: a greater one is garbage.
  static constexpr std::uint32_t maxHandles = 1U << 20;

  // A chunk that was released and not yet taken by `takeReleased` is needed again, and stays.
  // Failure: aborts on a handle that is not below `maxHandles`.
  void hold(std::uint32_t handle);

  // Ends one hold; with the last one the handle is put aside for `takeReleased`.
  // Failure: aborts on a handle without a hold; going on would free memory that is being sent.
  void release(std::uint32_t handle) noexcept;

  // Moves out the handles without a hold left, each exactly once, as many as fit.
  [[nodiscard]] std::size_t takeReleased(std::span<std::uint32_t> into) noexcept;

  [[nodiscard]] bool hasReleased() const noexcept { return !released_.empty(); }

 private:
  static constexpr std::uint32_t notReleased = UINT32_MAX;

  struct Chunk {
    std::uint32_t holds = 0;
    // Where the handle stands in `released_`.
    std::uint32_t place = notReleased;
  };

  void takeBack(Chunk& chunk) noexcept;

  std::vector<Chunk> chunks_;
  std::vector<std::uint32_t> released_;
};

}  // namespace zerocast
