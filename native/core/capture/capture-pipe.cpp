#include "capture/capture-pipe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace zerocast {

CapturePipe::CapturePipe() : stopped_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
  readEnd_ = Descriptor(ends[0]);
  writeEnd_ = Descriptor(ends[1]);
}

bool CapturePipe::write(std::span<const std::byte> pcm) noexcept {
  while (!pcm.empty()) {
    const ssize_t taken = ::write(writeEnd_.fd(), pcm.data(), pcm.size());
    if (taken >= 0) {
      pcm = pcm.subspan(static_cast<std::size_t>(taken));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return false;
    std::array<pollfd, 2> events{{{writeEnd_.fd(), POLLOUT, 0}, {stopped_.fd(), POLLIN, 0}}};
    ::poll(events.data(), events.size(), -1);
    if (events[1].revents != 0) return false;
  }
  return true;
}

bool CapturePipe::wait(int timeoutMs) const noexcept {
  pollfd event{stopped_.fd(), POLLIN, 0};
  return ::poll(&event, 1, timeoutMs) > 0;
}

void CapturePipe::stop() noexcept {
  const std::uint64_t one = 1;
  // It fails only when it is readable already.
  static_cast<void>(!::write(stopped_.fd(), &one, sizeof one));
}

}  // namespace zerocast
