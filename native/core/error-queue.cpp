#include "error-queue.hpp"

#include <linux/errqueue.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace zerocast {

namespace {

// The error and the address that the kernel puts behind it take 64 bytes; the rest is room for
// whatever else the socket is set to report.
constexpr std::size_t controlBytes = 256;

// A dual-stack socket reports as IPv6 also when its peer speaks IPv4.
bool isErrorReport(const cmsghdr& header) noexcept {
  return (header.cmsg_level == SOL_IP && header.cmsg_type == IP_RECVERR) ||
         (header.cmsg_level == SOL_IPV6 && header.cmsg_type == IPV6_RECVERR);
}

// The kernel shortens a report that does not fit, and says so in its length.
bool isWhole(const cmsghdr& header) noexcept {
  return header.cmsg_len >= CMSG_LEN(sizeof(sock_extended_err));
}

bool findCompletion(msghdr& message, CompletionRange& range) noexcept {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (!isErrorReport(*header) || !isWhole(*header)) continue;
    sock_extended_err error{};
    std::memcpy(&error, CMSG_DATA(header), sizeof error);
    if (error.ee_origin != SO_EE_ORIGIN_ZEROCOPY || error.ee_errno != 0) continue;
    range = {error.ee_info, error.ee_data, (error.ee_code & SO_EE_CODE_ZEROCOPY_COPIED) != 0};
    return true;
  }
  return false;
}

}  // namespace

ErrorQueueRead readErrorQueue(int fd, const SystemCalls& system, CompletionRange& range) noexcept {
  alignas(cmsghdr) std::byte control[controlBytes];
  // Fresh for every call: the kernel overwrites the length with what it has used.
  msghdr message{};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (system.recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
    return errno == EINTR ? ErrorQueueRead::other : ErrorQueueRead::end;
  }
  return findCompletion(message, range) ? ErrorQueueRead::completion : ErrorQueueRead::other;
}

}  // namespace zerocast
