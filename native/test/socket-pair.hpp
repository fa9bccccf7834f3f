#pragma once

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <utility>
#include <vector>

#include "loopback.hpp"

namespace zerocast::test {

inline constexpr int patienceMs = 10'000;

// Whether `fd` becomes readable, or reports an error, in time.
[[nodiscard]] inline bool awaitNews(int fd, short events = POLLIN, int waitMs = patienceMs) {
  pollfd watched{fd, events, 0};
  return poll(&watched, 1, waitMs) == 1;
}

// What the peer gets: `bytes`, or fewer when the connection ends before.
[[nodiscard]] inline std::vector<std::byte> receive(const Socket& peer, std::size_t bytes) {
  std::vector<std::byte> received(bytes);
  std::size_t size = 0;
  while (size < bytes && awaitNews(peer.fd())) {
    const ssize_t got = recv(peer.fd(), received.data() + size, bytes - size, MSG_DONTWAIT);
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  received.resize(size);
  return received;
}

// Reads and forgets what has arrived so far.
inline void receiveArrived(const Socket& peer) {
  std::vector<std::byte> buffer(64 * 1024);
  while (recv(peer.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) {
  }
}

// Everything until the end of the connection.
[[nodiscard]] inline std::vector<std::byte> receiveAll(const Socket& peer) {
  std::vector<std::byte> received;
  for (;;) {
    const std::vector<std::byte> more = receive(peer, 64 * 1024);
    if (more.empty()) return received;
    received.insert(received.end(), more.begin(), more.end());
  }
}

// Whether the peer is told in time that the connection is over, by an end or by a break.
[[nodiscard]] inline bool seesEnd(const Socket& peer) {
  std::byte byte{};
  if (!awaitNews(peer.fd())) return false;
  const ssize_t got = recv(peer.fd(), &byte, 1, MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno == ECONNRESET);
}

// Whether nothing has arrived so far.
[[nodiscard]] inline bool hasNothing(const Socket& peer) {
  std::byte byte{};
  return recv(peer.fd(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

inline void closeSocket(Socket& socket) { const Socket closing = std::move(socket); }

// Ends a connection without a farewell.
inline void resetConnection(Socket& socket) {
  const linger abrupt{1, 0};
  static_cast<void>(setsockopt(socket.fd(), SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt));
  closeSocket(socket);
}

inline void shrinkSendBuffer(const Socket& socket) {
  const int bytes = 4096;
  static_cast<void>(setsockopt(socket.fd(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes));
}

[[nodiscard]] inline std::size_t openDescriptors() {
  DIR* const list = opendir("/proc/self/fd");
  if (list == nullptr) return 0;
  std::size_t count = 0;
  while (readdir(list) != nullptr) ++count;
  closedir(list);
  return count;
}

}  // namespace zerocast::test
