#include "input-queue.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

namespace zerocast {

int unreadBytes(int fd) noexcept {
  int bytes = 0;
  return ::ioctl(fd, FIONREAD, &bytes) == 0 ? bytes : -errno;
}

int limitUnread(int fd, int bytes) noexcept {
  // Only a pipe has a size to tell. Not fstat: its symbol is newer than the oldest glibc that we run with.
  const int pipeBytes = ::fcntl(fd, F_GETPIPE_SZ);
  if (pipeBytes < 0) {
    return ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0 ? 0 : errno;
  }
  if (pipeBytes <= bytes) return 0;
  return ::fcntl(fd, F_SETPIPE_SZ, bytes) < 0 ? errno : 0;
}

}  // namespace zerocast
