#include "tap-device.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace {

// struct virtio_net_hdr without later additions; its kernel header is no C++. All zero in front of
// a frame that we write: it is complete as it is.
constexpr size_t virtioBytes = 10;

}  // namespace

TapDevice::TapDevice(const std::string& path, size_t readBytes)
    : fd_(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)), buffer_(virtioBytes + readBytes) {
  if (fd_ < 0) {
    failure_ = "open " + path + ": " + std::strerror(errno);
  } else {
    setUp();
  }
}

TapDevice::~TapDevice() {
  if (fd_ >= 0) close(fd_);
}

void TapDevice::setUp() {
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  int headerBytes = virtioBytes;
  const unsigned offloads = TUN_F_CSUM | TUN_F_TSO4;
  if (ioctl(fd_, TUNSETIFF, &request) != 0 || ioctl(fd_, TUNSETVNETHDRSZ, &headerBytes) != 0 ||
      ioctl(fd_, TUNSETOFFLOAD, offloads) != 0) {
    failure_ = std::string("the tap device takes no virtio header: ") + std::strerror(errno);
  }
}

std::span<const uint8_t> TapDevice::read() {
  const ssize_t got = ::read(fd_, buffer_.data(), buffer_.size());
  if (got <= static_cast<ssize_t>(virtioBytes)) {
    if (got < 0 && errno != EAGAIN && errno != EINTR) {
      failure_ = std::string("read from the tap device: ") + std::strerror(errno);
    }
    return {};
  }
  return {buffer_.data() + virtioBytes, static_cast<size_t>(got) - virtioBytes};
}

bool TapDevice::write(std::span<const uint8_t> frame) {
  uint8_t none[virtioBytes] = {};
  const iovec pieces[2] = {{none, virtioBytes},
                           {const_cast<uint8_t*>(frame.data()), frame.size()}};
  if (writev(fd_, pieces, 2) == static_cast<ssize_t>(virtioBytes + frame.size())) return true;
  failure_ = std::string("write to the tap device: ") + std::strerror(errno);
  return false;
}
