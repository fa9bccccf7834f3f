#pragma once

#include <array>
#include <cstdint>
#include <cstring>

// Remembers what the first client got for each timestamp, so that every other one can be compared.
class PayloadCheck {
 public:
  // False when a chunk of this timestamp was seen before with other bytes.
  bool matches(int64_t timestampUs, const uint8_t* payload, size_t bytes) {
    Entry& entry = entries_[static_cast<uint64_t>(timestampUs) / slotUs % entries_.size()];
    const uint64_t print = fingerprint(payload, bytes);
    if (entry.timestampUs == timestampUs) return entry.fingerprint == print;
    entry = {timestampUs, print};
    return true;
  }

 private:
  struct Entry {
    int64_t timestampUs = -1;
    uint64_t fingerprint = 0;
  };

  // No chunk is shorter than this; the table then spans 8 s, more than any client lags behind.
  static constexpr uint64_t slotUs = 2000;

  static uint64_t fingerprint(const uint8_t* payload, size_t bytes) {
    uint64_t print = bytes;
    for (; bytes >= 8; payload += 8, bytes -= 8) {
      uint64_t word;
      std::memcpy(&word, payload, 8);
      print = (print ^ word) * 0x9e3779b97f4a7c15U;
      print ^= print >> 32;
    }
    for (; bytes > 0; payload++, bytes--) print = (print ^ *payload) * 0x9e3779b97f4a7c15U;
    return print;
  }

  std::array<Entry, 4096> entries_;
};
