#pragma once

#include "json-line.hpp"
#include "peer-network.hpp"
#include "problem-list.hpp"
#include "wire.h"

// Peers without a protocol: connect, take and acknowledge all bytes, end when the server closes.
// Ownership: owns the network. Threads: one.
class PeerSink final : private PeerListener {
 public:
  PeerSink(const NetworkOptions& options, int64_t joinTimeoutMs, uint32_t connectsPerSec)
      : peers_(options.peers),
        joinTimeoutMs_(joinTimeoutMs),
        connectEveryUs_(connectsPerSec > 0 ? 1000000 / connectsPerSec : 0),
        network_(options, *this) {}

  // True when every peer was served until the server closed it.
  bool run() {
    nextConnectUs_ = monotonicUs();
    const int64_t deadlineUs = nextConnectUs_ + joinTimeoutMs_ * 1000;
    while (closed_ < peers_ && problems_.empty()) {
      connectDue();
      network_.poll(started_ < peers_ ? nextConnectUs_ - monotonicUs() : idleUs);
      if (!network_.failure().empty()) problems_.add(network_.failure());
      if (connected_ < peers_ && monotonicUs() > deadlineUs) {
        problems_.add("only " + std::to_string(connected_) + " peers are connected in time");
      }
    }
    problems_.addCount(network_.pathCounts().lost, "segments were lost on the path");
    JsonLine line("result");
    line.add("clients", peers_);
    line.add("receivedBytes", receivedBytes_);
    network_.addTo(line);
    line.addRaw("problems", problems_.toJson());
    line.print();
    return problems_.empty();
  }

 private:
  static constexpr int64_t idleUs = 100000;

  void connectDue() {
    while (started_ < peers_ && monotonicUs() >= nextConnectUs_) {
      network_.connect(started_);
      started_ += 1;
      nextConnectUs_ += connectEveryUs_;
    }
  }

  void onConnected(uint32_t) override {
    connected_ += 1;
    if (connected_ == peers_) JsonLine("joined").print();
  }
  void onBytes(uint32_t, std::span<const uint8_t>, size_t payloadBytes) override {
    receivedBytes_ += payloadBytes;
  }
  void onClosed(uint32_t) override { closed_ += 1; }
  void onBroken(uint32_t number, const std::string& why) override {
    problems_.add("peer " + std::to_string(number) + ": " + why);
  }

  const uint32_t peers_;
  const int64_t joinTimeoutMs_;
  const int64_t connectEveryUs_;
  ProblemList problems_;
  uint32_t started_ = 0, connected_ = 0, closed_ = 0;
  int64_t nextConnectUs_ = 0;
  uint64_t receivedBytes_ = 0;
  PeerNetwork network_;
};
