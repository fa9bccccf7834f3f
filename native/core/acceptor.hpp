#pragma once

#include "descriptor.hpp"

namespace zerocast {

// Takes connections from a listening TCP socket, through a descriptor of its own: the one that it was
// made from may be closed.
//
// Connections inherit TCP_NODELAY from the listening socket. Source: Linux, tcp(7).
//
// Threads: one.
class Acceptor {
 public:
  // Check `isOpen`, as the system may have no descriptor to spare.
  explicit Acceptor(int listener) noexcept;

  [[nodiscard]] bool isOpen() const noexcept { return listener_.isOpen(); }
  // Readable while connections wait.
  [[nodiscard]] int fd() const noexcept { return listener_.fd(); }

  // The next connection, which does not block and is closed in children. Never waits.
  //
  // Ownership: the descriptor is the caller's.
  // Failure: a negative errno; -EAGAIN when none waits, or when it is closed. When there is no
  // descriptor for it, those that wait are ended. What cannot be ended goes on waiting, so that
  // trying again at once would only spin.
  [[nodiscard]] int accept() noexcept;

  void close() noexcept;

 private:
  // Ends those that wait; the kernel wants a descriptor even to say that there are none.
  [[nodiscard]] bool noneWaited() noexcept;

  Descriptor listener_;
  // Given up for a moment to end a connection for which there is no descriptor.
  Descriptor spare_;
};

}  // namespace zerocast
