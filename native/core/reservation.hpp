#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

namespace zerocast {

// The exclusive right to write to one socket: one 32-bit word shared with JavaScript, which calls
// the same operations in src/transport/reservation.ts.
//
// The word is 0 when no thread writes, -1 while the fan-out holds it, and otherwise the number of
// asynchronous writes under way. Every change is one atomic read-modify-write: nothing is checked
// first and done afterwards. For the same reason the end of one of several asynchronous writes is
// not lost to a later taker of the right: what follows it in the word is its release sequence.
//
// Ownership: none; the word must outlive every copy, and only atomic operations may touch it.
// Threads: any.
class Reservation {
 public:
  explicit Reservation(std::int32_t& word) noexcept : word_(&word) {}

  // Takes the right for the fan-out; false when it is not free.
  [[nodiscard]] bool tryHold() const noexcept {
    std::int32_t seen = free;
    return atomic().compare_exchange_strong(seen, held, taking, refused);
  }

  // Gives back what `tryHold` took.
  void release() const noexcept {
    std::int32_t seen = held;
    atomic().compare_exchange_strong(seen, free, givingBack, refused);
  }

  // Announces one asynchronous write; false while the fan-out holds the right.
  [[nodiscard]] bool tryRaise() const noexcept {
    std::int32_t seen = atomic().load(refused);
    while (seen != held) {
      if (atomic().compare_exchange_weak(seen, seen + 1, taking, refused)) return true;
    }
    return false;
  }

  // Ends one asynchronous write.
  void lower() const noexcept { atomic().fetch_sub(1, givingBack); }

  [[nodiscard]] bool isFree() const noexcept { return atomic().load(looking) == free; }

 private:
  using Atomic = std::atomic_ref<std::int32_t>;

  // A lock would be invisible to JavaScript, which aligns the word like any int32.
  static_assert(Atomic::is_always_lock_free);
  static_assert(Atomic::required_alignment <= alignof(std::int32_t));

  static constexpr std::int32_t free = 0;
  static constexpr std::int32_t held = -1;

  // Acquire: the thread that takes the right sees all that earlier writers did to the socket, and
  // none of its own writing moves up to before it had the right.
  static constexpr std::memory_order taking = std::memory_order_acquire;
  // Release: all that was done to the socket is done before another thread can take the right.
  static constexpr std::memory_order givingBack = std::memory_order_release;
  // Acquire: a thread that sees the right free may rely on what was written until then.
  static constexpr std::memory_order looking = std::memory_order_acquire;
  // Relaxed: a refused thread touches nothing but the word.
  static constexpr std::memory_order refused = std::memory_order_relaxed;

  [[nodiscard]] Atomic atomic() const noexcept { return Atomic(*word_); }

  std::int32_t* word_;
};

static_assert(std::is_trivially_copyable_v<Reservation>);

}  // namespace zerocast
