#pragma once

#include <sys/epoll.h>

#include <cstdint>

#include "descriptor.hpp"

namespace zerocast {

// That a socket has completions, bytes, or the end of the connection to read.
struct SocketNews {
  std::uint32_t name;
  std::uint32_t events;

  [[nodiscard]] bool hasError() const noexcept { return (events & EPOLLERR) != 0; }
  [[nodiscard]] bool hasInput() const noexcept {
    return (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP)) != 0;
  }
  // A read that brings less than it might does not mean that there is no more: the end may stand
  // behind it, or urgent data.
  [[nodiscard]] bool isEnding() const noexcept {
    return (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP)) != 0;
  }
};

// Tells which sockets have completions or input to read.
//
// A completion that was not read makes a socket report POLLERR for ever, which no mask hides: a
// level-triggered loop would spin. So the sockets are watched in a set of their own,
// edge-triggered, and the event loop watches the set. Source: epoll_ctl(2), EPOLLET and EPOLLERR.
//
// Ownership: of the set only; a socket must be removed before its descriptor is closed.
// Threads: one.
class SocketWatcher {
 public:
  // News at most that one look brings; the rest comes with the next, before what is newer.
  static constexpr int maxNews = 64;

  SocketWatcher() noexcept;

  // Readable while there is something to fetch; -1 when the system has no more descriptors.
  [[nodiscard]] int fd() const noexcept { return set_.fd(); }

  // Nothing is watched any more.
  void close() noexcept { set_ = Descriptor(); }

  // Tells of completions.
  [[nodiscard]] bool add(int fd, std::uint32_t name) noexcept;
  // Tells of input, too, whether the socket is watched already or not.
  [[nodiscard]] bool addInput(int fd, std::uint32_t name) noexcept;
  // Tells once more what is there, after the news of others.
  void tellAgain(int fd, std::uint32_t name) noexcept;
  void remove(int fd) noexcept;

  // Calls `visit` with the news that there are, at most `maxNews`; returns how many. Never waits.
  template <typename Visit>
  int fetch(Visit&& visit);

 private:
  [[nodiscard]] bool control(int operation, int fd, epoll_event event) noexcept;

  Descriptor set_;
};

template <typename Visit>
int SocketWatcher::fetch(Visit&& visit) {
  epoll_event events[maxNews];
  const int count = epoll_wait(set_.fd(), events, maxNews, 0);
  for (int index = 0; index < count; ++index) {
    visit(SocketNews{events[index].data.u32, events[index].events});
  }
  return count;
}

}  // namespace zerocast
