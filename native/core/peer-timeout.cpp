#include "peer-timeout.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace zerocast {

namespace {

// A third of the time passes in silence, in the rest the peer is asked this often.
constexpr int probes = 5;

bool set(int fd, int level, int name, int value) noexcept {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

}  // namespace

int setPeerTimeout(int fd, int timeoutMs) noexcept {
  const int seconds = std::max(1, timeoutMs / 1000);
  const int idleSeconds = std::max(1, seconds / 3);
  const int intervalSeconds = std::max(1, (seconds - idleSeconds) / probes);
  const bool isSet = set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
                     set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idleSeconds) &&
                     set(fd, IPPROTO_TCP, TCP_KEEPINTVL, intervalSeconds) &&
                     set(fd, IPPROTO_TCP, TCP_KEEPCNT, probes) &&
                     set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, timeoutMs);
  return isSet ? 0 : errno;
}

}  // namespace zerocast
