#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>

namespace zerocast::test {

class Socket {
 public:
  explicit Socket(int fd) noexcept : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

struct Connection {
  Socket sender;
  Socket receiver;
};

inline bool allowZeroCopy(const Socket& socket) {
  const int on = 1;
  return setsockopt(socket.fd(), SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) == 0;
}

// The server's end of a connection over loopback sends, as in life; its peer speaks IPv4.
inline std::optional<Connection> connectTo(Socket listener, in_port_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = port;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Socket receiver(socket(AF_INET, SOCK_STREAM, 0));
  if (listen(listener.fd(), 1) != 0) return std::nullopt;
  if (connect(receiver.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return std::nullopt;
  }
  Socket sender(accept(listener.fd(), nullptr, nullptr));
  if (sender.fd() < 0 || !allowZeroCopy(sender)) return std::nullopt;
  return Connection{std::move(sender), std::move(receiver)};
}

inline std::optional<Connection> connectIpv4() {
  Socket listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener.fd(), any, size) != 0) return std::nullopt;
  if (getsockname(listener.fd(), any, &size) != 0) return std::nullopt;
  return connectTo(std::move(listener), address.sin_port);
}

inline std::optional<Connection> connectDualStack() {
  Socket listener(socket(AF_INET6, SOCK_STREAM, 0));
  const int off = 0;
  if (setsockopt(listener.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) {
    return std::nullopt;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_any;
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener.fd(), any, size) != 0) return std::nullopt;
  if (getsockname(listener.fd(), any, &size) != 0) return std::nullopt;
  return connectTo(std::move(listener), address.sin6_port);
}

}  // namespace zerocast::test
