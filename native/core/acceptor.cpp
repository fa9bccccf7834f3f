#include "acceptor.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace zerocast {

namespace {

// The connection that was next is gone already. Source: accept(2), "Error handling".
bool isOver(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
      return true;
    default:
      return false;
  }
}

// More than may wait for it (the backlog), so that one look ends all.
constexpr int maxEnded = 1024;

Descriptor openSpare() noexcept { return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

int acceptFrom(const Descriptor& listener) noexcept {
  return ::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

}  // namespace

Acceptor::Acceptor(int listener) noexcept
    : listener_(::fcntl(listener, F_DUPFD_CLOEXEC, 0)), spare_(openSpare()) {
  const int on = 1;
  // Audio also arrives without it, only later: nothing to fail for.
  static_cast<void>(::setsockopt(listener_.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
}

int Acceptor::accept() noexcept {
  if (!isOpen()) return -EAGAIN;
  for (;;) {
    const int fd = acceptFrom(listener_);
    if (fd >= 0) return fd;
    const int error = errno;
    if (isOver(error)) continue;
    const bool isShort = error == EMFILE || error == ENFILE;
    return isShort && noneWaited() ? -EAGAIN : -error;
  }
}

bool Acceptor::noneWaited() noexcept {
  spare_ = Descriptor();
  int ended = 0;
  int error = 0;
  while (ended < maxEnded && error == 0) {
    const Descriptor connection(acceptFrom(listener_));
    if (connection.isOpen()) {
      ++ended;
    } else {
      error = errno;
    }
  }
  spare_ = openSpare();
  return ended == 0 && error == EAGAIN;
}

void Acceptor::close() noexcept {
  listener_ = Descriptor();
  spare_ = Descriptor();
}

}  // namespace zerocast
