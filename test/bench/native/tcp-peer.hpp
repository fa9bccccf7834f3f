#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

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

// A segment that overtook another one, with a copy of its payload.
struct HeldSegment {
  Segment segment;
  std::vector<uint8_t> payload;
};

// How the path treated the segments of a peer.
struct PathCounts {
  // Those that were sent twice, those that overtook another one, and holes that only a repetition
  // by the server can have filled.
  uint64_t repeated = 0, early = 0, lost = 0;

  PathCounts& operator+=(const PathCounts& other) {
    repeated += other.repeated;
    early += other.early;
    lost += other.lost;
    return *this;
  }
};

// The remote end of one TCP connection, in user space: connects, takes everything in order and
// acknowledges it. On a path that loses nothing it needs neither timers nor a send queue. Segments
// do overtake each other, when the sending thread changes the CPU; they wait for their turn.
// Ownership: owns what waits; whoever calls `make…` sends the segment. Threads: one.
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
  // A waiting segment whose turn has come: to be heard again, after each that was heard.
  [[nodiscard]] std::optional<HeldSegment> takeHeld();

  bool isConnected() const { return state_ == State::connected; }
  bool owesAck() const { return owesAck_; }
  const PathCounts& pathCounts() const { return pathCounts_; }

 private:
  enum class State { idle, connecting, connected, closed };

  [[nodiscard]] Segment make(uint8_t flags);
  [[nodiscard]] Heard hearAnswer(const Segment& segment);
  [[nodiscard]] Heard hearBytes(const Segment& segment);
  [[nodiscard]] Heard hold(const Segment& segment);

  const uint16_t port_;
  const uint16_t serverPort_;
  State state_ = State::idle;
  bool owesAck_ = false;
  uint32_t nextToSend_ = 0;
  uint32_t nextExpected_ = 0;
  std::vector<HeldSegment> held_;
  int64_t holeSinceUs_ = 0;
  PathCounts pathCounts_;
};
