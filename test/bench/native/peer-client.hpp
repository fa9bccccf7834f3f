#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "client.hpp"
#include "peer-network.hpp"

// A snapclient behind the tap device. It follows the chain of messages and the timestamps of the
// chunks; unlike `Client` it skips the payload, which arrives in pieces and is never put together.
// Ownership: network and measurement outlive it. Threads: one.
class PeerClient {
 public:
  PeerClient(uint32_t number, uint32_t timeBurst, PeerNetwork& network, Measurement& measurement);

  // Called as the connection is begun; the first chunk is timed from here.
  void start(int64_t nowUs) { startedUs_ = nowUs; }
  // Called once the connection stands.
  void greet();
  void requestTime();
  void onBytes(std::span<const uint8_t> bytes);
  void fail(const std::string& why);

  // Joined: audio flows and the opening burst of Time requests is answered.
  bool joined() const { return newestUs_ >= 0 && timeBurst_ == 0; }
  bool isReadyForTime() const { return joined() && !failed(); }
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  // Timestamp of the newest chunk, -1 before the first.
  int64_t newestUs() const { return newestUs_; }
  uint64_t windowChunks() const { return windowChunks_; }

 private:
  enum class State { connecting, greeted, settled, streaming };

  uint16_t nextId();
  size_t wantedBytes() const;
  void onHeader();
  void onMessage(int64_t nowUs);
  void onSettings();
  void onCodecHeader();
  void onChunkHeader();
  void onChunkEnd(int64_t nowUs);
  void checkContinuity();
  void onTime(int64_t nowUs);

  const uint32_t number_;
  PeerNetwork& network_;
  Measurement& measurement_;
  int64_t startedUs_ = 0;
  State state_ = State::connecting;
  std::string failure_;
  uint32_t timeBurst_;
  uint16_t lastId_ = 1;
  uint16_t helloId_ = 0;
  uint16_t pendingTimeId_ = 0;
  int64_t timeSentUs_ = 0;
  // The message that is arriving: all of a small one, of a chunk only its two headers.
  std::vector<uint8_t> message_;
  BaseHeader header_{};
  int64_t chunkTimeUs_ = 0;
  // What is left of the payload of a chunk.
  size_t skipBytes_ = 0;
  int64_t newestUs_ = -1;
  int64_t chunkUs_ = 0;
  int64_t pcmBytesPerSec_ = 0;
  uint64_t windowChunks_ = 0;
};
