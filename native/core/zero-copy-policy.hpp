#pragma once

#include <cstdint>

namespace zerocast {

enum class ZeroCopyMode : std::uint8_t { adaptive, always };

// Decides for one socket whether a send that is large enough shall be a zero-copy send.
//
// `active`: every one. `copied` (adaptive mode only): the kernel copied so many sends in a row
// that pinning pages is pure cost; one send in `probeEvery` tries again. `congested`: the
// kernel had no room for more (ENOBUFS); plain until all is completed and then for a number of
// sends that doubles with every refusal in a row, then `active` again. All waits are counted in
// sends, never in events: an event that nothing will cause would be waited for for ever.
//
// Threads: one.
class ZeroCopyPolicy {
 public:
  enum class State : std::uint8_t { active, copied, congested };

  // So many copied sends in a row are proof enough.
  static constexpr std::uint32_t copiedProof = 8;
  // In state `copied` one send in so many is a probe: half a per cent.
  static constexpr std::uint32_t probeEvery = 200;
  static constexpr std::uint32_t firstBackOffSends = 16;
  static constexpr std::uint32_t maxBackOffSends = 4096;

  explicit ZeroCopyPolicy(ZeroCopyMode mode) noexcept : mode_(mode) {}

  // Asked once before each send that is large enough.
  [[nodiscard]] bool wants() noexcept;
  void onAccepted() noexcept;
  // ENOBUFS, with so many sends in flight.
  void onNoBuffers(std::uint32_t outstanding) noexcept;
  // `outstanding`: what is left in flight afterwards.
  void onCompleted(std::uint32_t sends, bool copied, std::uint32_t outstanding) noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }

 private:
  void activate() noexcept;
  void weigh(std::uint32_t sends, bool copied) noexcept;

  ZeroCopyMode mode_;
  State state_ = State::active;
  std::uint32_t copiedSends_ = 0;
  std::uint32_t outstanding_ = 0;
  // Plain sends since nothing was in flight any more, in the states `copied` and `congested`.
  std::uint32_t plainSends_ = 0;
  std::uint32_t backOffSends_ = 0;
  std::uint32_t nextBackOffSends_ = firstBackOffSends;
};

}  // namespace zerocast
