#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "segment.hpp"

// What a segment meant to its peer.
struct Heard {
  enum class What { nothing, connected, bytes, refused, closed, broken };

  What what = What::nothing;
  // `bytes`, `closed`: those that are new, as far as they were read, and how many were sent.
  std::span<const uint8_t> payload{};
  size_t payloadBytes = 0;
  // `broken`: the rule of TCP, or of this lossless path, that was violated.
  const char* why = "";
};

// The remote end of one TCP connection, in user space: connects, takes everything in order and
// acknowledges it. On a path that loses nothing it needs neither timers nor a send queue.
// Ownership: holds numbers only; whoever calls `make…` sends the segment. Threads: one.
class TcpPeer {
 public:
  TcpPeer(uint16_t port, uint16_t serverPort) : port_(port), serverPort_(serverPort) {}

  // Starts anew, also after a refusal.
  [[nodiscard]] Segment makeSyn();
  [[nodiscard]] Segment makeRequest(std::span<const uint8_t> bytes);
  // Acknowledges all that has arrived.
  [[nodiscard]] Segment makeAck();
  // Ends the connection at once, so that the server sends no more.
  [[nodiscard]] Segment makeReset();

  [[nodiscard]] Heard hear(const Segment& segment);

  bool isConnected() const { return state_ == State::connected; }
  bool owesAck() const { return owesAck_; }
  uint64_t repeatedSegments() const { return repeatedSegments_; }

 private:
  enum class State { idle, connecting, connected, closed };

  [[nodiscard]] Segment make(uint8_t flags);
  [[nodiscard]] Heard hearAnswer(const Segment& segment);
  [[nodiscard]] Heard hearBytes(const Segment& segment);

  const uint16_t port_;
  const uint16_t serverPort_;
  State state_ = State::idle;
  bool owesAck_ = false;
  uint32_t nextToSend_ = 0;
  uint32_t nextExpected_ = 0;
  uint64_t repeatedSegments_ = 0;
};
