#include "file-lock.hpp"

#include <sys/file.h>

#include <cerrno>

namespace zerocast {

int lockFile(int fd) noexcept { return ::flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno; }

}  // namespace zerocast
