#include "input-queue.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace zerocast {

namespace {

int limitSocket(int fd, int bytes) noexcept {
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) != 0) return -errno;
  int keptBytes = 0;
  socklen_t size = sizeof keptBytes;
  if (::getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &keptBytes, &size) != 0) return -errno;
  // Half of what it says is for the kernel's own needs (socket(7), "SO_RCVBUF").
  return keptBytes / 2;
}

}  // namespace

int unreadBytes(int fd) noexcept {
  int bytes = 0;
  return ::ioctl(fd, FIONREAD, &bytes) == 0 ? bytes : -errno;
}

int readUnread(int fd, void* target, std::size_t capacity) noexcept {
  const ssize_t bytes = ::read(fd, target, capacity);
  return bytes < 0 ? -errno : static_cast<int>(bytes);
}

int limitUnread(int fd, int bytes) noexcept {
  // Only a pipe has a size to tell. Not fstat: its symbol is newer than the oldest glibc that we run with.
  const int pipeBytes = ::fcntl(fd, F_GETPIPE_SZ);
  if (pipeBytes < 0) return limitSocket(fd, bytes);
  if (pipeBytes <= bytes) return pipeBytes;
  const int limitedBytes = ::fcntl(fd, F_SETPIPE_SZ, bytes);
  return limitedBytes < 0 ? -errno : limitedBytes;
}

int widenPipe(int fd, int bytes) noexcept {
  const int pipeBytes = ::fcntl(fd, F_GETPIPE_SZ);
  if (pipeBytes < 0) return -errno;
  if (pipeBytes >= bytes) return pipeBytes;
  const int widenedBytes = ::fcntl(fd, F_SETPIPE_SZ, bytes);
  return widenedBytes < 0 ? pipeBytes : widenedBytes;
}

}  // namespace zerocast
