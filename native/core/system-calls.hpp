#pragma once

#include <sys/socket.h>
#include <sys/types.h>

namespace zerocast {

// The calls into the kernel whose failures are rare in life and must still be tested: a test hands
// in functions that take less, or refuse, before they call the real ones.
struct SystemCalls {
  ssize_t (*sendmsg)(int fd, const msghdr* message, int flags) = ::sendmsg;
  ssize_t (*recvmsg)(int fd, msghdr* message, int flags) = ::recvmsg;
};

}  // namespace zerocast
