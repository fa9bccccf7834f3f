#include "completion-watcher.hpp"

#include <sys/epoll.h>

namespace zerocast {

CompletionWatcher::CompletionWatcher() noexcept : set_(epoll_create1(EPOLL_CLOEXEC)) {}

bool CompletionWatcher::add(int fd, std::uint32_t name) noexcept {
  epoll_event event{};
  event.events = EPOLLET;  // EPOLLERR is always watched
  event.data.u32 = name;
  return epoll_ctl(set_.fd(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void CompletionWatcher::remove(int fd) noexcept {
  epoll_event ignored{};
  static_cast<void>(epoll_ctl(set_.fd(), EPOLL_CTL_DEL, fd, &ignored));
}

int CompletionWatcher::wait(std::uint32_t (&names)[maxEvents]) noexcept {
  epoll_event events[maxEvents];
  const int count = epoll_wait(set_.fd(), events, maxEvents, 0);
  for (int index = 0; index < count; ++index) names[index] = events[index].data.u32;
  return count;
}

}  // namespace zerocast
