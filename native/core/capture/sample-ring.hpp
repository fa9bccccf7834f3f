#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace zerocast {

// Bytes on their way from a real-time callback, which may neither wait nor allocate, to a thread.
//
// Threads: one writes, one reads.
class SampleRing {
 public:
  // Rounded up to a power of two.
  explicit SampleRing(std::size_t bytes) : memory_(std::bit_ceil(bytes)) {}

  // All of it, or nothing, so that no frame is cut. Failure: false when it does not fit.
  [[nodiscard]] bool write(std::span<const std::byte> bytes) noexcept {
    const std::size_t written = written_.load(std::memory_order_relaxed);
    const std::size_t taken = taken_.load(std::memory_order_acquire);
    if (bytes.size() > memory_.size() - (written - taken)) return false;
    const std::size_t at = written & mask();
    const std::size_t head = std::min(bytes.size(), memory_.size() - at);
    copy(memory_.data() + at, bytes.first(head));
    copy(memory_.data(), bytes.subspan(head));
    written_.store(written + bytes.size(), std::memory_order_release);
    return true;
  }

  // The oldest bytes that lie in one piece; `take` frees them.
  [[nodiscard]] std::span<const std::byte> front() const noexcept {
    const std::size_t taken = taken_.load(std::memory_order_relaxed);
    const std::size_t there = written_.load(std::memory_order_acquire) - taken;
    const std::size_t at = taken & mask();
    return std::span(memory_).subspan(at, std::min(there, memory_.size() - at));
  }

  void take(std::size_t bytes) noexcept {
    taken_.store(taken_.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
  }

 private:
  // Apart, so that the two threads do not share a line of the cache.
  static constexpr std::size_t apart = 64;

  [[nodiscard]] std::size_t mask() const noexcept { return memory_.size() - 1; }

  static void copy(std::byte* target, std::span<const std::byte> bytes) noexcept {
    if (!bytes.empty()) std::memcpy(target, bytes.data(), bytes.size());
  }

  std::vector<std::byte> memory_;
  alignas(apart) std::atomic<std::size_t> written_ = 0;
  alignas(apart) std::atomic<std::size_t> taken_ = 0;
};

}  // namespace zerocast
