#include "file-copy.hpp"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>

namespace zerocast {

// Both C libraries of Linux take their own wide type for a place in a file, which is then this one.
static_assert(sizeof(off_t) == sizeof(std::int64_t));

int cloneFile(int from, int to) noexcept { return ::ioctl(to, FICLONE, from) == 0 ? 0 : errno; }

std::int64_t copyRange(int from, int to, std::int64_t at, std::size_t bytes) noexcept {
  off_t source = at;
  off_t target = at;
  ssize_t copied = 0;
  do {
    copied = ::copy_file_range(from, &source, to, &target, bytes, 0);
  } while (copied < 0 && errno == EINTR);
  return copied < 0 ? -errno : copied;
}

std::int64_t sendRange(int from, int to, std::int64_t at, std::size_t bytes) noexcept {
  // It writes where the descriptor stands, which no other thread moves.
  if (::lseek(to, at, SEEK_SET) < 0) return -errno;
  off_t source = at;
  ssize_t copied = 0;
  do {
    copied = ::sendfile(to, from, &source, bytes);
  } while (copied < 0 && errno == EINTR);
  return copied < 0 ? -errno : copied;
}

}  // namespace zerocast
