#pragma once

#include <string>
#include <vector>

#include "json-line.hpp"
#include "tap-device.hpp"
#include "tcp-peer.hpp"

// Who hears what happens on the connections; `number` counts the peers from 0.
class PeerListener {
 public:
  virtual void onConnected(uint32_t number) = 0;
  // `payload` is what was read of `payloadBytes`; it is valid during the call only.
  virtual void onBytes(uint32_t number, std::span<const uint8_t> payload, size_t payloadBytes) = 0;
  virtual void onClosed(uint32_t number) = 0;
  virtual void onBroken(uint32_t number, const std::string& why) = 0;

 protected:
  ~PeerListener() = default;
};

struct NetworkOptions {
  std::string tapPath;
  PathEnds ends;
  uint16_t serverPort = 1704;
  uint32_t peers = 1;
  // Without a listener for payload the headers suffice.
  bool headersOnly = false;
};

// All peers behind one tap device.
// Ownership: owns the device and the peers; the listener must outlive it. Threads: one.
class PeerNetwork {
 public:
  PeerNetwork(const NetworkOptions& options, PeerListener& listener);
  // Resets every connection that stands.
  ~PeerNetwork();
  PeerNetwork(const PeerNetwork&) = delete;
  PeerNetwork& operator=(const PeerNetwork&) = delete;

  // Empty, or why the device cannot be used.
  const std::string& failure() const { return tap_.failure(); }

  // A refused connection is tried again until the server listens.
  void connect(uint32_t number);
  void send(uint32_t number, std::span<const uint8_t> request);
  // Waits for frames, at most so long, and answers some of those that came.
  void poll(int64_t waitUs);

  PathCounts pathCounts() const;
  // What the path did, into a result line.
  void addTo(JsonLine& line) const;

 private:
  void transmit(const Segment& segment);
  void dispatch(const Segment& segment);
  void hear(uint32_t number, const Segment& segment);
  void acknowledgeAll();
  void retryRefused();

  const NetworkOptions options_;
  PeerListener& listener_;
  TapDevice tap_;
  std::vector<TcpPeer> peers_;
  std::vector<uint32_t> owing_;
  std::vector<uint32_t> refused_;
  int64_t retryAtUs_ = INT64_MAX;
  FrameBuffer buffer_{};
  uint64_t payloadSegments_ = 0;
};
