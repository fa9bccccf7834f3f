#include "zero-copy-probe.hpp"

#include <netinet/in.h>
#include <poll.h>

#include <cerrno>
#include <cstddef>
#include <ctime>
#include <optional>
#include <utility>

#include "descriptor.hpp"
#include "error-queue.hpp"
#include "slab.hpp"

namespace zerocast {

namespace {

constexpr std::size_t probeBytes = 64 * 1024;
constexpr int pollMs = 20;

struct Pair {
  Descriptor sender;
  Descriptor receiver;
};

Descriptor openSocket() noexcept {
  return Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

// Nothing, with errno set, when the system refuses.
std::optional<Pair> connectOverLoopback() noexcept {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const Descriptor listener = openSocket();
  Descriptor sender = openSocket();
  if (!listener.isOpen() || !sender.isOpen() || ::bind(listener.fd(), any, bytes) != 0 ||
      ::listen(listener.fd(), 1) != 0 || ::getsockname(listener.fd(), any, &bytes) != 0 ||
      ::connect(sender.fd(), any, bytes) != 0) {
    return std::nullopt;
  }
  Descriptor receiver(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!receiver.isOpen()) return std::nullopt;
  return Pair{std::move(sender), std::move(receiver)};
}

ssize_t sendPages(int fd, const Slab& slab, const SystemCalls& system) noexcept {
  iovec piece{slab.data(), slab.bytes()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  ssize_t taken = -1;
  do {
    taken = system.sendmsg(fd, &message, MSG_ZEROCOPY | MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (taken < 0 && errno == EINTR);
  return taken;
}

std::int64_t monotonicMs() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// Whether the kernel reports the completion in time.
bool awaitCompletion(int fd, const SystemCalls& system, int patienceMs, bool& copied) noexcept {
  const std::int64_t deadlineMs = monotonicMs() + patienceMs;
  for (;;) {
    CompletionRange range{};
    if (readErrorQueue(fd, system, range) == ErrorQueueRead::completion) {
      copied = range.copied;
      return true;
    }
    if (monotonicMs() >= deadlineMs) return false;
    // Without events: only what is always reported, errors and what waits in the error queue.
    pollfd watched{fd, 0, 0};
    static_cast<void>(::poll(&watched, 1, pollMs));
  }
}

}  // namespace

ZeroCopyProbe sendZeroCopyProbe(const ProbeCalls& calls, int patienceMs) noexcept {
  const std::optional<Pair> pair = connectOverLoopback();
  if (!pair) return {ProbeStep::connect, errno, false};
  const int fd = pair->sender.fd();
  const int on = 1;
  if (calls.setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) != 0) {
    return {ProbeStep::allow, errno, false};
  }
  const auto slab = Slab::allocate(probeBytes);
  if (!slab) return {ProbeStep::send, ENOMEM, false};
  if (sendPages(fd, *slab, calls.system) < 0) return {ProbeStep::send, errno, false};
  bool copied = false;
  if (!awaitCompletion(fd, calls.system, patienceMs, copied)) {
    return {ProbeStep::complete, ETIMEDOUT, false};
  }
  return {ProbeStep::done, 0, copied};
}

}  // namespace zerocast
