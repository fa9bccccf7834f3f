#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

// Audio of which every sample is known: 16 bits, two channels, the left one counts the frames and
// wraps, the right one is the left one with some bits flipped. So a chunk says itself whether it
// belongs to its timestamp, and whether all its bytes are in order.
class CounterPattern {
 public:
  explicit CounterPattern(int64_t rateHz) : rateHz_(rateHz) {}

  // The next chunk says where the counter is.
  void forgetOrigin() { originUs_ = -1; }

  bool matches(int64_t timestampUs, const uint8_t* payload, size_t bytes) {
    if (bytes < frameBytes || bytes % frameBytes != 0) return false;
    if (originUs_ < 0) {
      originUs_ = timestampUs;
      std::memcpy(&originCount_, payload, sizeof originCount_);
    }
    uint16_t count = countAt(timestampUs);
    // Without a branch per frame the compiler compares many at a time.
    uint32_t differences = 0;
    for (size_t at = 0; at < bytes; at += frameBytes, count++) {
      uint16_t left, right;
      std::memcpy(&left, payload + at, sizeof left);
      std::memcpy(&right, payload + at + sizeof left, sizeof right);
      differences |= static_cast<uint32_t>((left ^ count) | (right ^ count ^ flipped));
    }
    return differences == 0;
  }

 private:
  static constexpr size_t frameBytes = 4;
  static constexpr uint16_t flipped = 0x5a5a;

  // Timestamps are rounded to microseconds, far less than a frame lasts.
  uint16_t countAt(int64_t timestampUs) const {
    const int64_t sinceUs = timestampUs - originUs_;
    const int64_t half = sinceUs < 0 ? -500000 : 500000;
    const int64_t frames = (sinceUs * rateHz_ + half) / 1000000;
    return static_cast<uint16_t>(originCount_ + frames);
  }

  const int64_t rateHz_;
  int64_t originUs_ = -1;
  uint16_t originCount_ = 0;
};
