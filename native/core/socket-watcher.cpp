#include "socket-watcher.hpp"

#include <cerrno>

namespace zerocast {

namespace {

// EPOLLERR and EPOLLHUP are always watched.
epoll_event eventOf(std::uint32_t events, std::uint32_t name) noexcept {
  epoll_event event{};
  event.events = EPOLLET | events;
  event.data.u32 = name;
  return event;
}

constexpr std::uint32_t input = EPOLLIN | EPOLLPRI | EPOLLRDHUP;

}  // namespace

SocketWatcher::SocketWatcher() noexcept : set_(epoll_create1(EPOLL_CLOEXEC)) {}

bool SocketWatcher::add(int fd, std::uint32_t name) noexcept {
  return control(EPOLL_CTL_ADD, fd, eventOf(0, name));
}

bool SocketWatcher::addInput(int fd, std::uint32_t name) noexcept {
  const epoll_event event = eventOf(input, name);
  if (control(EPOLL_CTL_ADD, fd, event)) return true;
  return errno == EEXIST && control(EPOLL_CTL_MOD, fd, event);
}

void SocketWatcher::tellAgain(int fd, std::uint32_t name) noexcept {
  static_cast<void>(control(EPOLL_CTL_MOD, fd, eventOf(input, name)));
}

void SocketWatcher::remove(int fd) noexcept {
  static_cast<void>(control(EPOLL_CTL_DEL, fd, {}));
}

bool SocketWatcher::control(int operation, int fd, epoll_event event) noexcept {
  return epoll_ctl(set_.fd(), operation, fd, &event) == 0;
}

}  // namespace zerocast
