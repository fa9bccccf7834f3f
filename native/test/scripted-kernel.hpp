#pragma once

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

#include "error-queue.hpp"
#include "system-calls.hpp"

namespace zerocast::test {

// How the kernel answers one `sendmsg`: with an error number, or by taking so many bytes at most.
struct SendAnswer {
  int error = 0;
  std::size_t takes = SIZE_MAX;
};

// The real kernel, but for the answers that a test asks for.
struct ScriptedKernel {
  // For the next calls; the rest is up to the real kernel.
  std::deque<SendAnswer> answers;
  // Sends without the flag, so that no completion comes but those of `completions`.
  bool scriptsCompletions = false;
  std::deque<CompletionRange> completions;
  // Calls with MSG_ZEROCOPY, and without.
  std::size_t pinned = 0;
  std::size_t plain = 0;
  // Reads of what peers have sent: errors for the next ones, and how many there were.
  std::deque<int> readErrors;
  std::size_t reads = 0;
};

inline ScriptedKernel kernel;

inline ssize_t takeAtMost(int fd, const msghdr& message, int flags, std::size_t bytes) {
  std::vector<iovec> pieces(message.msg_iov, message.msg_iov + message.msg_iovlen);
  for (iovec& piece : pieces) {
    piece.iov_len = std::min(piece.iov_len, bytes);
    bytes -= piece.iov_len;
  }
  msghdr shorter = message;
  shorter.msg_iov = pieces.data();
  return ::sendmsg(fd, &shorter, flags);
}

inline ssize_t scriptedSendmsg(int fd, const msghdr* message, int flags) {
  ((flags & MSG_ZEROCOPY) != 0 ? kernel.pinned : kernel.plain) += 1;
  if (kernel.scriptsCompletions) flags &= ~MSG_ZEROCOPY;
  if (kernel.answers.empty()) return ::sendmsg(fd, message, flags);
  const SendAnswer answer = kernel.answers.front();
  kernel.answers.pop_front();
  if (answer.error == 0) return takeAtMost(fd, *message, flags, answer.takes);
  errno = answer.error;
  return -1;
}

inline ssize_t scriptedRead(int fd, msghdr* message, int flags) {
  kernel.reads += 1;
  if (kernel.readErrors.empty()) return ::recvmsg(fd, message, flags);
  errno = kernel.readErrors.front();
  kernel.readErrors.pop_front();
  return -1;
}

inline ssize_t scriptedRecvmsg(int fd, msghdr* message, int flags) {
  if ((flags & MSG_ERRQUEUE) == 0) return scriptedRead(fd, message, flags);
  if (!kernel.scriptsCompletions) return ::recvmsg(fd, message, flags);
  if (kernel.completions.empty()) {
    errno = EAGAIN;
    return -1;
  }
  const CompletionRange range = kernel.completions.front();
  kernel.completions.pop_front();
  sock_extended_err report{};
  report.ee_origin = SO_EE_ORIGIN_ZEROCOPY;
  report.ee_code = range.copied ? SO_EE_CODE_ZEROCOPY_COPIED : 0;
  report.ee_info = range.first;
  report.ee_data = range.last;
  cmsghdr* const header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_IP;
  header->cmsg_type = IP_RECVERR;
  header->cmsg_len = CMSG_LEN(sizeof report);
  std::memcpy(CMSG_DATA(header), &report, sizeof report);
  message->msg_controllen = CMSG_SPACE(sizeof report);
  return 0;
}

inline SystemCalls scriptedCalls() {
  kernel = {};
  return {scriptedSendmsg, scriptedRecvmsg};
}

}  // namespace zerocast::test
