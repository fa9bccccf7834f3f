#include "input-queue.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

namespace zerocast {

namespace {

int shrinkPipe(int fd, int bytes) noexcept {
  const int present = ::fcntl(fd, F_GETPIPE_SZ);
  if (present < 0) return errno;
  if (present <= bytes) return 0;
  return ::fcntl(fd, F_SETPIPE_SZ, bytes) < 0 ? errno : 0;
}

}  // namespace

int unreadBytes(int fd) noexcept {
  int bytes = 0;
  return ::ioctl(fd, FIONREAD, &bytes) == 0 ? bytes : -errno;
}

int limitUnread(int fd, int bytes) noexcept {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return errno;
  if (S_ISFIFO(status.st_mode)) return shrinkPipe(fd, bytes);
  return ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0 ? 0 : errno;
}

}  // namespace zerocast
