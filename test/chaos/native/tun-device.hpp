#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

// A network interface whose packets are read and written here: whole IP packets, nothing in front.
// It belongs to the network namespace that the thread is in when it is made.
// Ownership: owns its descriptor, and with it the interface. Threads: one.
// Source: kernel tuntap.rst, section 3.2.
class TunDevice {
 public:
  explicit TunDevice(const std::string& name);
  ~TunDevice();
  TunDevice(const TunDevice&) = delete;
  TunDevice& operator=(const TunDevice&) = delete;

  // Empty, or why the device cannot be used.
  const std::string& failure() const { return failure_; }
  int fd() const { return fd_; }

  // The next packet, valid until the next call; empty when none waits.
  [[nodiscard]] std::span<const uint8_t> read();
  // What the kernel does not take is lost, as on a wire.
  void write(std::span<const uint8_t> packet);

 private:
  const int fd_;
  std::string failure_;
  std::vector<uint8_t> buffer_;
};
