// Any bytes in an error queue.

#include "error-queue.hpp"

#include <linux/errqueue.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "input.hpp"

using namespace zerocast;
using namespace zerocast::fuzz;

namespace {

Input* script = nullptr;
std::uint32_t reads = 0;

// A report as the kernel makes it, with any values in it.
std::vector<std::uint8_t> someReport() {
  sock_extended_err error{};
  error.ee_origin = script->flip() ? SO_EE_ORIGIN_ZEROCOPY : script->byte();
  error.ee_errno = script->below(4) == 0 ? script->byte() : 0;
  error.ee_code = script->byte();
  error.ee_info = script->word();
  error.ee_data = script->word();
  cmsghdr header{};
  const bool isIpv6 = script->flip();
  header.cmsg_level = script->below(8) == 0 ? script->byte() : isIpv6 ? SOL_IPV6 : SOL_IP;
  header.cmsg_type = script->below(8) == 0 ? script->byte() : isIpv6 ? IPV6_RECVERR : IP_RECVERR;
  header.cmsg_len = script->below(4) == 0 ? script->someNumber() : CMSG_LEN(sizeof error);
  std::vector<std::uint8_t> bytes(CMSG_SPACE(sizeof error));
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + CMSG_LEN(0), &error, sizeof error);
  return bytes;
}

std::vector<std::uint8_t> someControl() {
  std::vector<std::uint8_t> control;
  for (std::uint32_t parts = script->below(5); parts > 0; --parts) {
    if (script->flip()) {
      const std::vector<std::uint8_t> report = someReport();
      control.insert(control.end(), report.begin(), report.end());
    } else {
      for (std::uint32_t bytes = script->below(48); bytes > 0; --bytes) {
        control.push_back(script->byte());
      }
    }
  }
  return control;
}

ssize_t answer(int, msghdr* message, int flags) {
  check((flags & MSG_ERRQUEUE) != 0 && (flags & MSG_DONTWAIT) != 0, "it never waits");
  reads += 1;
  if (!script->hasMore() || script->below(16) == 0) {
    const int errors[] = {EAGAIN, EINTR, EBADF, ENOMEM, ENOTCONN};
    errno = script->hasMore() ? errors[script->below(5)] : EAGAIN;
    return -1;
  }
  const std::vector<std::uint8_t> control = someControl();
  const std::size_t bytes = std::min<std::size_t>(control.size(), message->msg_controllen);
  if (bytes > 0) std::memcpy(message->msg_control, control.data(), bytes);
  message->msg_controllen = bytes;
  // The kernel never claims more than it has written. Source: put_cmsg of the kernel.
  cmsghdr* const first = CMSG_FIRSTHDR(message);
  if (first != nullptr) first->cmsg_len = std::min(first->cmsg_len, bytes);
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  script = &input;
  reads = 0;
  std::uint32_t visits = 0;
  SystemCalls calls;
  calls.recvmsg = answer;
  const std::uint32_t ranges = readCompletions(7, calls, [&](const CompletionRange&) { ++visits; });
  check(ranges == visits && ranges <= reads, "one message is one range at most");
  check(reads <= maxErrorQueueReads, "it ends");
  return 0;
}
