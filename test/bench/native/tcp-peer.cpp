#include "tcp-peer.hpp"

#include <algorithm>
#include <utility>

#include "wire.h"

namespace {

// More of them than one batch has mean that the first one is lost.
constexpr size_t mostHeld = 256;
// Overtaking is over within a tick. A repetition by the kernel takes 200 ms at least.
constexpr int64_t overtakingUs = 100000;

// Any number would do; a new attempt must not look like a piece of the last one.
constexpr uint32_t sequenceStep = 0x10000;

// Sequence numbers wrap: only their signed distance says which comes first.
int32_t distance(uint32_t sequence, uint32_t from) { return static_cast<int32_t>(sequence - from); }

Heard broken(const char* why) { return {.what = Heard::What::broken, .why = why}; }

}  // namespace

Segment TcpPeer::make(uint8_t flags) {
  Segment segment;
  segment.serverPort = serverPort_;
  segment.peerPort = port_;
  segment.sequence = nextToSend_;
  segment.acknowledged = (flags & flagAck) != 0 ? nextExpected_ : 0;
  segment.flags = flags;
  return segment;
}

Segment TcpPeer::makeSyn() {
  state_ = State::connecting;
  nextToSend_ += sequenceStep;
  const Segment segment = make(flagSyn);
  nextToSend_ += 1;
  return segment;
}

Segment TcpPeer::makeRequest(std::span<const uint8_t> bytes) {
  Segment segment = makeAck();
  segment.flags |= flagPsh;
  segment.payload = bytes;
  segment.payloadBytes = bytes.size();
  nextToSend_ += static_cast<uint32_t>(bytes.size());
  return segment;
}

Segment TcpPeer::makeAck() {
  owesAck_ = false;
  return make(flagAck);
}

Segment TcpPeer::makeReset() {
  state_ = State::closed;
  owesAck_ = false;
  return make(flagRst | flagAck);
}

Heard TcpPeer::hear(const Segment& segment) {
  switch (state_) {
    case State::idle:
    case State::closed:
      return {};
    case State::connecting:
      return hearAnswer(segment);
    case State::connected:
      break;
  }
  if ((segment.flags & flagRst) != 0) {
    state_ = State::closed;
    return broken("the server reset the connection");
  }
  // A request may have been dropped along with the acknowledgement, and nothing here repeats it.
  if ((segment.flags & flagSyn) != 0) return broken("the server's accept queue overflowed");
  Heard heard = hearBytes(segment);
  const uint32_t end = segment.sequence + static_cast<uint32_t>(segment.payloadBytes);
  const bool complete = end == nextExpected_;
  if ((segment.flags & flagFin) != 0 && complete) heard.what = Heard::What::closed;
  return heard;
}

Heard TcpPeer::hearAnswer(const Segment& segment) {
  if (segment.acknowledged != nextToSend_) return {};
  if ((segment.flags & flagRst) != 0) {
    state_ = State::idle;
    return {.what = Heard::What::refused};
  }
  if ((segment.flags & flagSyn) == 0) return {};
  nextExpected_ = segment.sequence + 1;
  state_ = State::connected;
  owesAck_ = true;
  return {.what = Heard::What::connected};
}

Heard TcpPeer::hearBytes(const Segment& segment) {
  if (segment.payloadBytes == 0) return {};
  const int32_t ahead = distance(segment.sequence, nextExpected_);
  // Unacknowledged: repeated acknowledgements would make the server repeat what is not lost.
  if (ahead > 0) return hold(segment);
  owesAck_ = true;
  const auto known = static_cast<size_t>(-static_cast<int64_t>(ahead));
  if (known > 0) pathCounts_.repeated += 1;
  if (known >= segment.payloadBytes) return {};
  const size_t newBytes = segment.payloadBytes - known;
  nextExpected_ += static_cast<uint32_t>(newBytes);
  return {.what = Heard::What::bytes,
          .payload = segment.payload.subspan(std::min(known, segment.payload.size())),
          .payloadBytes = newBytes};
}

Heard TcpPeer::hold(const Segment& segment) {
  if (held_.size() == mostHeld) return broken("the path lost a segment");
  if (held_.empty()) holeSinceUs_ = monotonicUs();
  held_.push_back({segment, {segment.payload.begin(), segment.payload.end()}});
  pathCounts_.early += 1;
  return {};
}

std::optional<HeldSegment> TcpPeer::takeHeld() {
  const auto due = std::find_if(held_.begin(), held_.end(), [this](const HeldSegment& held) {
    return distance(held.segment.sequence, nextExpected_) <= 0;
  });
  if (due == held_.end()) return std::nullopt;
  HeldSegment taken = std::move(*due);
  held_.erase(due);
  taken.segment.payload = taken.payload;
  if (held_.empty() && monotonicUs() - holeSinceUs_ > overtakingUs) pathCounts_.lost += 1;
  return taken;
}
