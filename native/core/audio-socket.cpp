#include "audio-socket.hpp"

#include <cerrno>
#include <utility>

#include "error-queue.hpp"

namespace zerocast {

namespace {

ssize_t sendOnce(int fd, const msghdr& message, int flags, const SystemCalls& calls) {
  ssize_t taken = -1;
  do {
    taken = calls.sendmsg(fd, &message, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (taken < 0 && errno == EINTR);
  return taken;
}

}  // namespace

AudioSocket::AudioSocket(Descriptor descriptor, Reservation reservation, Framing framing,
                         ZeroCopyRules rules) noexcept
    : descriptor_(std::move(descriptor)),
      reservation_(reservation),
      framing_(framing),
      rules_(rules),
      policy_(rules.mode) {}

Outcome AudioSocket::send(const Batch& batch, SendContext& context) {
  if (!reservation_.tryHold()) {
    counters_.coordinationFallbacks += 1;
    return {Status::reserved, 0, 0};
  }
  const std::size_t bytes = gather(batch.chunks, context.pieces);
  msghdr message{};
  message.msg_iov = context.pieces.data();
  message.msg_iovlen = context.pieces.size();
  ssize_t taken = -1;
  const bool mayPin = rules_.enabled && bytes >= rules_.minBytes && !ledger_.isFull();
  const bool pins = mayPin && policy_.wants();
  if (pins) taken = sendPinned(message, batch, context);
  if (!pins || (taken < 0 && errno == ENOBUFS)) taken = sendPlainly(message, context.calls);
  return settle(taken, batch.chunks, bytes);
}

// Returns the bytes of all pieces together.
std::size_t AudioSocket::gather(std::span<const Piece> chunks, std::vector<iovec>& pieces) const {
  std::size_t bytes = 0;
  pieces.clear();
  for (const Piece& chunk : chunks) {
    const std::size_t headerBytes = bytesOf(chunk) - chunk.messageBytes;
    // The kernel only reads; `iovec` serves both directions and therefore has no const.
    pieces.push_back({const_cast<std::byte*>(chunk.message - headerBytes), bytesOf(chunk)});
    bytes += bytesOf(chunk);
  }
  return bytes;
}

ssize_t AudioSocket::sendPinned(const msghdr& message, const Batch& batch, SendContext& context) {
  counters_.zeroCopyAttempts += 1;
  const ssize_t taken = sendOnce(fd(), message, MSG_ZEROCOPY, context.calls);
  if (taken < 0 && errno == ENOBUFS) {
    counters_.noBuffers += 1;
    policy_.onNoBuffers(ledger_.outstanding());
  }
  if (taken <= 0) return taken;
  counters_.zeroCopySends += 1;
  counters_.zeroCopyBytes += static_cast<std::uint64_t>(taken);
  // What the kernel has not taken it does not read either; to hold these few chunks as well is
  // simpler than to tell them apart.
  ledger_.accept(batch.handles, context.holds);
  policy_.onAccepted();
  return taken;
}

ssize_t AudioSocket::sendPlainly(const msghdr& message, const SystemCalls& calls) {
  const ssize_t taken = sendOnce(fd(), message, 0, calls);
  if (taken > 0) {
    counters_.regularSends += 1;
    counters_.regularBytes += static_cast<std::uint64_t>(taken);
  }
  return taken;
}

Outcome AudioSocket::settle(ssize_t taken, std::span<const Piece> chunks, std::size_t bytes) {
  if (taken < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
    const int error = errno;
    reservation_.release();
    return {Status::failed, 0, error};
  }
  auto rest = static_cast<std::size_t>(taken < 0 ? 0 : taken);
  if (rest == bytes) {
    reservation_.release();
    counters_.chunks += chunks.size();
    return {Status::sent, static_cast<std::int32_t>(chunks.size()), 0};
  }
  (rest == 0 ? counters_.wouldBlock : counters_.partialSends) += 1;
  std::int32_t whole = 0;
  for (const Piece& chunk : chunks) {
    if (rest < bytesOf(chunk)) break;
    rest -= bytesOf(chunk);
    whole += 1;
  }
  counters_.chunks += static_cast<std::uint64_t>(whole) + 1;
  return {Status::cut, whole, static_cast<std::int32_t>(rest)};
}

std::size_t AudioSocket::bytesOf(const Piece& chunk) const noexcept {
  const std::size_t headerBytes = framing_ == Framing::webSocket ? chunk.frameHeaderBytes : 0;
  return headerBytes + chunk.messageBytes;
}

ssize_t AudioSocket::write(std::span<const std::byte> message, const SystemCalls& calls) const {
  iovec piece{const_cast<std::byte*>(message.data()), message.size()};
  msghdr single{};
  single.msg_iov = &piece;
  single.msg_iovlen = 1;
  const ssize_t taken = sendOnce(fd(), single, 0, calls);
  return taken < 0 ? -errno : taken;
}

void AudioSocket::drain(ChunkHolds& holds, const SystemCalls& calls) {
  readCompletions(fd(), calls, [&](const CompletionRange& range) {
    const std::uint32_t ended = ledger_.complete(range.first, range.last, holds);
    if (range.copied) counters_.zeroCopyCopied += ended;
    if (ended > 0) policy_.onCompleted(ended, range.copied, ledger_.outstanding());
  });
}

void AudioSocket::finish() noexcept {
  isFinished_ = true;
  // Not SHUT_RDWR: the kernel would answer a peer that still talks by a reset, and drop the rest.
  static_cast<void>(shutdown(fd(), SHUT_WR));
}

void AudioSocket::abort() noexcept {
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  // It fails only when there is no connection any more, which is what it is called for.
  static_cast<void>(::connect(fd(), &nowhere, sizeof nowhere));
}

}  // namespace zerocast
