#include "send-sockets.hpp"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace {

// Room for several ticks of the largest batch, so that no send is cut short by the buffer.
constexpr int sendBufferBytes = 1 << 20;

}  // namespace

SendSockets::SendSockets() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

SendSockets::~SendSockets() {
  for (const int fd : fds_) close(fd);
  if (listener_ >= 0) close(listener_);
  close(epoll_);
}

bool SendSockets::fail(const char* what) {
  failure_ = std::string(what) + ": " + std::strerror(errno);
  return false;
}

bool SendSockets::accept(const char* host, uint16_t port, size_t count, int timeoutMs) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  errno = EINVAL;
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) return fail(host);
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto* bound = reinterpret_cast<const sockaddr*>(&address);
  if (bind(listener_, bound, sizeof address) != 0) return fail("bind");
  if (listen(listener_, SOMAXCONN) != 0) return fail("listen");
  while (fds_.size() < count) {
    pollfd coming{listener_, POLLIN, 0};
    errno = ETIMEDOUT;
    if (poll(&coming, 1, timeoutMs) <= 0) return fail("waiting for the peers");
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return fail("accept4");
    if (!adopt(fd)) return false;
  }
  return true;
}

bool SendSockets::adopt(int fd) {
  fds_.push_back(fd);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sendBufferBytes, sizeof sendBufferBytes);
  if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) != 0) return fail("SO_ZEROCOPY");
  epoll_event event{};
  // The error queue reports itself unasked; edge-triggered, because it is left alone meanwhile.
  event.events = EPOLLET;
  event.data.fd = fd;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0 || fail("epoll_ctl");
}

void SendSockets::sendToAll(std::vector<iovec>& pieces, size_t bytes, bool zeroCopy) {
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  const int flags = MSG_NOSIGNAL | (zeroCopy ? MSG_ZEROCOPY : 0);
  for (const int fd : fds_) {
    ssize_t sent = sendmsg(fd, &message, flags);
    if (sent > 0 && zeroCopy) outstanding_ += 1;
    if (sent < 0 && errno == ENOBUFS && zeroCopy) {
      counts_.noBuffers += 1;
      sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    }
    if (sent < 0 && errno != EAGAIN && failure_.empty()) fail("sendmsg");
    counts_.sends += 1;
    if (sent != static_cast<ssize_t>(bytes)) counts_.partial += 1;
  }
}

void SendSockets::drain() {
  epoll_event events[256];
  for (;;) {
    const int ready = epoll_wait(epoll_, events, 256, 0);
    for (int i = 0; i < ready; i++) drainOne(events[i].data.fd);
    if (ready < 256) return;
  }
}

void SendSockets::drainOne(int fd) {
  for (;;) {
    alignas(cmsghdr) char control[128];
    msghdr message{};
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(fd, &message, MSG_ERRQUEUE) < 0) return;
    for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
      if (at->cmsg_level != SOL_IP || at->cmsg_type != IP_RECVERR) continue;
      sock_extended_err error;
      std::memcpy(&error, CMSG_DATA(at), sizeof error);
      if (error.ee_origin != SO_EE_ORIGIN_ZEROCOPY) continue;
      // The numbers wrap; their distance does not.
      const uint64_t sends = error.ee_data - error.ee_info + uint64_t{1};
      counts_.completed += sends;
      outstanding_ -= sends;
      // Says so of the first of the range only, but after every tick there is one send in it.
      if ((error.ee_code & SO_EE_CODE_ZEROCOPY_COPIED) != 0) counts_.copied += sends;
    }
  }
}

SendCounts SendSockets::takeCounts() { return std::exchange(counts_, {}); }
