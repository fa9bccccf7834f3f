#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "counter-pattern.hpp"
#include "payload-check.hpp"
#include "samples.hpp"
#include "server-clock.hpp"
#include "wire.h"

// What all clients of one run share: the window that is measured and everything found in it.
struct Measurement {
  // All times by our clock. Chunks count by timestamp and replies by request, so the window has
  // sharp edges for everyone.
  int64_t windowStartUs = INT64_MAX;
  int64_t windowEndUs = INT64_MAX;
  Samples chunkAgeUs, timeRoundTripUs, firstChunkUs;
  ServerClock serverClock;
  PayloadCheck payloads;
  // Where the audio is known beforehand, it is compared with that as well.
  std::optional<CounterPattern> pattern;
  // Whether controllers may give a player another stream; it is followed, and begins anew.
  bool maySwitchStreams = false;
  // Whether chunks in front of the CodecHeader are skipped, as real players do: snapserver sends
  // some to players that join in a crowd.
  bool skipsEarlyChunks = false;
  std::string codec;
  int64_t chunkUs = 0;
  uint64_t chunks = 0, chunkBytes = 0, receivedBytes = 0;
  // Over the whole run, warm-up included: a start must be as clean as the rest.
  uint64_t heardChunks = 0, gaps = 0, duplicates = 0, mismatches = 0;
  uint64_t timeUnanswered = 0, timeWrong = 0;

  bool covers(int64_t timeUs) const { return timeUs >= windowStartUs && timeUs < windowEndUs; }
};

// One connection that behaves like a snapclient and checks every byte it gets.
class Client {
 public:
  Client(int fd, uint32_t number, int timeBurst, int64_t nowUs, Measurement& measurement);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Called once the connection stands.
  void greet();
  void requestTime();
  // Reads once. `scratch` must hold more than the longest message.
  void onReadable(std::vector<uint8_t>& scratch);

  // Joined: audio flows and the opening burst of Time requests is answered.
  bool joined() const { return newestUs_ >= 0 && timeBurst_ == 0; }
  bool isReadyForTime() const { return joined() && !failed(); }
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  int fd() const { return fd_; }
  // Timestamp of the newest chunk, -1 before the first.
  int64_t newestUs() const { return newestUs_; }
  uint64_t windowChunks() const { return windowChunks_; }
  // By how much a clock that was set after the opening burst is wrong. A client takes the middle of
  // what all exchanges said.
  int64_t syncErrorUs() const;

 private:
  enum class State { connecting, greeted, settled, streaming };

  void fail(const std::string& why);
  ssize_t receive(std::vector<uint8_t>& scratch);
  void send(const uint8_t* message, size_t bytes);
  uint16_t nextId();
  void onMessage(const BaseHeader& header, const uint8_t* body, int64_t nowUs);
  void onSettings(const BaseHeader& header);
  void onCodecHeader(const BaseHeader& header, const uint8_t* body);
  void onChunk(const BaseHeader& header, const uint8_t* body, int64_t nowUs);
  bool hasRightPayload(int64_t timestampUs, const uint8_t* payload, size_t bytes);
  void checkContinuity(int64_t timestampUs, size_t payloadBytes);
  void onGap();
  void onTime(const BaseHeader& header, const uint8_t* body, int64_t nowUs);

  Measurement& measurement_;
  const int fd_;
  const uint32_t number_;
  const int64_t startedUs_;
  State state_ = State::connecting;
  std::string failure_;
  std::vector<uint8_t> rest_;
  int timeBurst_;
  uint16_t lastId_ = 1;
  uint16_t helloId_ = 0;
  uint16_t pendingTimeId_ = 0;
  int64_t timeSentUs_ = 0;
  int64_t arrivedUs_ = 0;
  // Of the opening burst.
  std::vector<int64_t> clockOffsetsUs_;
  int64_t newestUs_ = -1;
  int64_t chunkUs_ = 0;
  int64_t pcmBytesPerSec_ = 0;
  uint64_t windowChunks_ = 0;
};
