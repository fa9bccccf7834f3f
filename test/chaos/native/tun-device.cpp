#include "tun-device.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace {

// More than any packet of an interface with the usual 1500 bytes.
constexpr size_t packetBytes = 4096;

}  // namespace

TunDevice::TunDevice(const std::string& name)
    : fd_(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)), buffer_(packetBytes) {
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (fd_ < 0) {
    failure_ = std::string("open /dev/net/tun: ") + std::strerror(errno);
  } else if (ioctl(fd_, TUNSETIFF, &request) != 0) {
    failure_ = "make the interface " + name + ": " + std::strerror(errno);
  }
}

TunDevice::~TunDevice() {
  if (fd_ >= 0) close(fd_);
}

std::span<const uint8_t> TunDevice::read() {
  const ssize_t got = ::read(fd_, buffer_.data(), buffer_.size());
  if (got > 0) return {buffer_.data(), static_cast<size_t>(got)};
  if (got < 0 && errno != EAGAIN && errno != EINTR) {
    failure_ = std::string("read from the tun device: ") + std::strerror(errno);
  }
  return {};
}

void TunDevice::write(std::span<const uint8_t> packet) {
  if (::write(fd_, packet.data(), packet.size()) < 0) return;
}
