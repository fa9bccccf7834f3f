#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client.hpp"

struct LoadOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 1704;
  uint32_t clients = 1;
  // The number that the first client's id ends with: two loads on one server take different ones.
  uint32_t firstNumber = 0;
  // 0: all at once.
  uint32_t connectsPerSec = 500;
  // A real snapclient opens with 50 requests, each sent on the reply to the one before.
  uint32_t timeBurst = 50;
  // 0: no requests after the burst.
  uint32_t timeIntervalMs = 1000;
  uint32_t joinTimeoutMs = 60000;
  uint32_t warmUpMs = 3000;
  uint32_t windowMs = 10000;
  // After the window all clients go on for so long, while the runner looks at the server.
  uint32_t lingerMs = 0;
  // 1: skipped; 0: a fault.
  uint32_t skipEarlyChunks = 0;
};

// Runs all clients of one process through joining, warm-up, the measured window, the time
// after it and the drain.
class Load {
 public:
  explicit Load(LoadOptions options);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // True when every byte that was due has arrived.
  bool run();

 private:
  enum class Phase { joining, warmingUp, measuring, lingering, draining, done };

  void connectDue(int64_t nowUs);
  void connectOne(int64_t nowUs);
  void requestDue(int64_t nowUs);
  void advance(int64_t nowUs);
  void enter(Phase phase, int64_t lastsMs, int64_t nowUs);
  void poll(int64_t nowUs);
  int64_t nextDueUs() const;
  bool allJoined();
  bool allDrained() const;
  void note(const std::string& problem);
  void checkWhole(uint64_t expected, uint64_t fewest, uint64_t most);
  void report();

  const LoadOptions options_;
  sockaddr_in address_{};
  const int epoll_;
  std::vector<uint8_t> scratch_;
  std::vector<std::unique_ptr<Client>> clients_;
  Measurement measurement_;
  std::vector<std::string> problems_;
  Phase phase_ = Phase::joining;
  int64_t phaseEndUs_ = 0;
  int64_t startedUs_ = 0;
  uint32_t joined_ = 0;
  int64_t nextConnectUs_ = 0;
  int64_t nextRequestUs_ = INT64_MAX;
  uint32_t nextRequester_ = 0;
};
