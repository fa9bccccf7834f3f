#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

// The character device of a macvtap: what the other end of the veth pair sends can be read here.
// Large TCP packets arrive whole, with a virtio header in front, because cutting them up or
// completing their checksum would make the kernel touch, and so copy, zero-copy payload.
// Ownership: owns its descriptor. Threads: one.
// Source: kernel tuntap.rst, section 3.2; drivers/net/tap.c.
class TapDevice {
 public:
  // Reads at most `readBytes` of each frame; the kernel drops the rest of it uncopied.
  TapDevice(const std::string& path, size_t readBytes);
  ~TapDevice();
  TapDevice(const TapDevice&) = delete;
  TapDevice& operator=(const TapDevice&) = delete;

  // Empty, or why the device cannot be used.
  const std::string& failure() const { return failure_; }
  int fd() const { return fd_; }

  // The next frame, or its beginning, valid until the next call; empty when none waits.
  [[nodiscard]] std::span<const uint8_t> read();
  // False when the kernel refused the frame.
  [[nodiscard]] bool write(std::span<const uint8_t> frame);

 private:
  void setUp();

  const int fd_;
  std::string failure_;
  std::vector<uint8_t> buffer_;
};
