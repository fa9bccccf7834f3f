#pragma once

#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

using MacAddress = std::array<uint8_t, 6>;

// The two ends of the path, seen from the peers. Addresses in network byte order.
struct PathEnds {
  MacAddress peerMac{}, serverMac{};
  in_addr peer{}, server{};
};

enum SegmentFlag : uint8_t {
  flagFin = 0x01,
  flagSyn = 0x02,
  flagRst = 0x04,
  flagPsh = 0x08,
  flagAck = 0x10,
};

// One TCP segment over IPv4; numbers in host byte order. `payload` may hold less than the
// `payloadBytes` that were sent, when only headers were read.
struct Segment {
  uint16_t serverPort = 0, peerPort = 0;
  uint32_t sequence = 0, acknowledged = 0;
  uint8_t flags = 0;
  std::span<const uint8_t> payload;
  size_t payloadBytes = 0;
};

// Ethernet, IPv4 without options and TCP with the most options that it may have.
constexpr size_t maxHeaderBytes = 14 + 20 + 60;
// The largest request that a peer sends.
constexpr size_t maxRequestBytes = 512;
using FrameBuffer = std::array<uint8_t, maxHeaderBytes + maxRequestBytes>;

// The segment in a frame from the server, of which not all payload need be there; nothing when the
// frame is something else.
[[nodiscard]] std::optional<Segment> parseSegment(std::span<const uint8_t> bytes,
                                                  const PathEnds& ends);

// Writes a whole frame to the server; a SYN carries MSS and window scale. Returns its bytes.
[[nodiscard]] std::span<const uint8_t> buildFrame(const Segment& segment, const PathEnds& ends,
                                                  FrameBuffer& buffer);
