#pragma once

#include <cstdint>

#include "descriptor.hpp"

namespace zerocast {

// Tells which sockets have completions to read.
//
// A completion that was not read makes a socket report POLLERR for ever, which no mask hides: a
// level-triggered loop would spin. So the sockets are watched in a set of their own, edge-triggered,
// and the event loop watches the set. Source: epoll_ctl(2), EPOLLET and EPOLLERR.
//
// Ownership: of the set only; a socket must be removed before its descriptor is closed.
// Threads: one.
class CompletionWatcher {
 public:
  // Names of sockets at most that one look brings; the rest comes with the next.
  static constexpr int maxEvents = 256;

  CompletionWatcher() noexcept;

  // Readable while there is something to fetch; -1 when the system has no more descriptors.
  [[nodiscard]] int fd() const noexcept { return set_.fd(); }

  // Nothing is watched any more.
  void close() noexcept { set_ = Descriptor(); }

  [[nodiscard]] bool add(int fd, std::uint32_t name) noexcept;
  void remove(int fd) noexcept;

  // Calls `visit` with the name of each socket that has news. Never waits.
  template <typename Visit>
  void fetch(Visit&& visit);

 private:
  // Fills the array with names and returns how many.
  [[nodiscard]] int wait(std::uint32_t (&names)[maxEvents]) noexcept;

  Descriptor set_;
};

template <typename Visit>
void CompletionWatcher::fetch(Visit&& visit) {
  std::uint32_t names[maxEvents];
  int count = 0;
  do {
    count = wait(names);
    for (int index = 0; index < count; ++index) visit(names[index]);
  } while (count == maxEvents);
}

}  // namespace zerocast
