#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <span>
#include <vector>

// How bad the way is. Both directions are alike.
struct LinkQuality {
  double lossPercent = 0;
  double delayMs = 0;
  // Zero for no limit.
  double kilobytesPerSecond = 0;
  bool isUp = true;
};

// One direction of a bad way: loses, delays and holds back packets, and never reorders them.
// Threads: one.
class BadLink {
 public:
  explicit BadLink(uint64_t seed) : random_(seed) {}

  void enter(std::span<const uint8_t> packet, int64_t nowUs, const LinkQuality& quality);
  // The next packet whose time has come.
  [[nodiscard]] std::optional<std::vector<uint8_t>> leave(int64_t nowUs);
  // Until the next packet leaves; nothing when none waits.
  [[nodiscard]] std::optional<int64_t> waitUs(int64_t nowUs) const;

  uint64_t lost() const { return lost_; }

 private:
  struct Waiting {
    int64_t leavesUs;
    std::vector<uint8_t> packet;
  };

  // A router with a short memory.
  static constexpr size_t maxWaiting = 400;

  std::mt19937_64 random_;
  std::deque<Waiting> waiting_;
  int64_t freeAtUs_ = 0;
  uint64_t lost_ = 0;
};
