#include "zero-copy-policy.hpp"

#include <algorithm>

namespace zerocast {

bool ZeroCopyPolicy::wants() noexcept {
  if (state_ == State::active) return true;
  // What is in flight in state `copied` is the probe, or what was sent before the verdict: there
  // is never a second probe beside it.
  if (outstanding_ > 0) return false;
  switch (state_) {
    case State::active:
      return true;
    case State::copied:
      // Stays due until a probe is accepted: a full socket takes none.
      plainSends_ = std::min(plainSends_ + 1, probeEvery);
      return plainSends_ == probeEvery;
    case State::congested:
      if (plainSends_++ < backOffSends_) return false;
      activate();
      return true;
  }
  return false;
}

void ZeroCopyPolicy::onAccepted() noexcept {
  ++outstanding_;
  plainSends_ = 0;
}

void ZeroCopyPolicy::onNoBuffers(std::uint32_t outstanding) noexcept {
  state_ = State::congested;
  outstanding_ = outstanding;
  plainSends_ = 0;
  backOffSends_ = nextBackOffSends_;
  nextBackOffSends_ = std::min(2 * nextBackOffSends_, maxBackOffSends);
}

void ZeroCopyPolicy::onCompleted(std::uint32_t sends, bool copied,
                                 std::uint32_t outstanding) noexcept {
  outstanding_ = outstanding;
  if (sends == 0) return;
  switch (state_) {
    case State::active:
      nextBackOffSends_ = firstBackOffSends;
      return weigh(sends, copied);
    case State::copied:
      if (!copied) activate();
      return;
    case State::congested:
      // Accepted before the refusal: says nothing about whether the kernel has room now.
      return;
  }
}

void ZeroCopyPolicy::activate() noexcept {
  state_ = State::active;
  copiedSends_ = 0;
}

void ZeroCopyPolicy::weigh(std::uint32_t sends, bool copied) noexcept {
  if (mode_ == ZeroCopyMode::always) return;
  copiedSends_ = copied ? copiedSends_ + std::min(sends, copiedProof) : 0;
  if (copiedSends_ < copiedProof) return;
  state_ = State::copied;
  plainSends_ = 0;
}

}  // namespace zerocast
