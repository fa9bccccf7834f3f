#include "tcp-peer.hpp"

#include <algorithm>

namespace {

// Any number would do; a new attempt must not look like a piece of the last one.
constexpr uint32_t sequenceStep = 0x10000;

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
  const bool complete = segment.sequence + static_cast<uint32_t>(segment.payloadBytes) == nextExpected_;
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
  owesAck_ = true;
  // Sequence numbers wrap: only their signed distance says which comes first.
  const auto ahead = static_cast<int32_t>(segment.sequence - nextExpected_);
  if (ahead > 0) return broken("a segment is missing: the path lost it");
  const auto known = static_cast<size_t>(-static_cast<int64_t>(ahead));
  if (known > 0) repeatedSegments_ += 1;
  if (known >= segment.payloadBytes) return {};
  const size_t newBytes = segment.payloadBytes - known;
  nextExpected_ += static_cast<uint32_t>(newBytes);
  return {.what = Heard::What::bytes,
          .payload = segment.payload.subspan(std::min(known, segment.payload.size())),
          .payloadBytes = newBytes};
}
