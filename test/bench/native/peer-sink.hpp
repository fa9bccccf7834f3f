#pragma once

#include "json-line.hpp"
#include "peer-network.hpp"
#include "problem-list.hpp"
#include "wire.h"

// Peers without a protocol: connect, take and acknowledge all bytes, end when the server closes.
// Ownership: owns the network. Threads: one.
class PeerSink final : private PeerListener {
 public:
  PeerSink(const NetworkOptions& options, int64_t joinTimeoutMs)
      : peers_(options.peers), joinTimeoutMs_(joinTimeoutMs), network_(options, *this) {}

  // True when every peer was served until the server closed it.
  bool run() {
    const int64_t deadlineUs = monotonicUs() + joinTimeoutMs_ * 1000;
    for (uint32_t number = 0; number < peers_; number++) network_.connect(number);
    while (closed_ < peers_ && problems_.empty()) {
      network_.poll(idleUs);
      if (!network_.failure().empty()) problems_.add(network_.failure());
      if (connected_ < peers_ && monotonicUs() > deadlineUs) {
        problems_.add("only " + std::to_string(connected_) + " peers are connected in time");
      }
    }
    JsonLine line("result");
    line.add("clients", peers_);
    line.add("receivedBytes", receivedBytes_);
    line.add("repeatedSegments", network_.repeatedSegments());
    line.add("payloadSegments", network_.payloadSegments());
    line.addRaw("problems", problems_.toJson());
    line.print();
    return problems_.empty();
  }

 private:
  static constexpr int64_t idleUs = 100000;

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
  ProblemList problems_;
  uint32_t connected_ = 0, closed_ = 0;
  uint64_t receivedBytes_ = 0;
  PeerNetwork network_;
};
