#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "peer-client.hpp"
#include "problem-list.hpp"

struct PeerLoadOptions {
  // 0: all at once.
  uint32_t connectsPerSec = 500;
  // Requests per client in a row after its Hello; 0 would leave the server's clock unknown.
  uint32_t timeBurst = 50;
  // 0: no requests after the burst.
  uint32_t timeIntervalMs = 1000;
  uint32_t joinTimeoutMs = 60000;
  uint32_t warmUpMs = 3000;
  uint32_t windowMs = 10000;
};

// Runs snapclients behind the tap device through joining, warm-up, the measured window and the
// drain, and prints the same events as load-client does.
// Ownership: owns the network. Threads: one.
class PeerLoad final : private PeerListener {
 public:
  PeerLoad(const NetworkOptions& network, const PeerLoadOptions& options);

  // True when every byte that was due has arrived.
  bool run();

 private:
  enum class Phase { joining, warmingUp, measuring, draining, done };

  void onConnected(uint32_t number) override;
  void onBytes(uint32_t number, std::span<const uint8_t> payload, size_t payloadBytes) override;
  void onClosed(uint32_t number) override;
  void onBroken(uint32_t number, const std::string& why) override;

  void connectDue(int64_t nowUs);
  void requestDue(int64_t nowUs);
  void advance(int64_t nowUs);
  void enter(Phase phase, int64_t lastsMs, int64_t nowUs);
  int64_t nextDueUs() const;
  bool allJoined();
  bool allDrained() const;
  void checkWhole(uint64_t expected, uint64_t fewest, uint64_t most);
  void report();

  const PeerLoadOptions options_;
  const uint32_t count_;
  PeerNetwork network_;
  std::vector<PeerClient> clients_;
  Measurement measurement_;
  ProblemList problems_;
  Phase phase_ = Phase::joining;
  int64_t phaseEndUs_ = 0;
  uint32_t started_ = 0, joined_ = 0;
  int64_t nextConnectUs_ = 0;
  int64_t nextRequestUs_ = INT64_MAX;
  uint32_t nextRequester_ = 0;
};
