#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "chunk-holds.hpp"
#include "completion-ledger.hpp"
#include "descriptor.hpp"
#include "reservation.hpp"
#include "system-calls.hpp"
#include "zero-copy-policy.hpp"

namespace zerocast {

// One sealed chunk: the bytes of its message, with the header of a WebSocket frame right before.
struct Piece {
  const std::byte* message;
  std::uint32_t messageBytes;
  std::uint32_t frameHeaderBytes;
};

// Neighbouring chunks of a ring, and the handles by which `ChunkHolds` knows them.
struct Batch {
  std::span<const Piece> chunks;
  std::span<const std::uint32_t> handles;
};

enum class Framing : std::uint8_t { tcp, webSocket };

// What became of one send.
//
// `sent`: the kernel has all of it. `cut`: the kernel took `chunks` whole chunks and the first
// `detail` bytes of the next (0 is possible); the reservation stays held until the caller has seen
// the rest of that chunk through. `reserved`: Node writes. `failed`: the connection is
// broken, `detail` is the error number.
enum class Status : std::int32_t { sent, cut, reserved, failed };

struct Outcome {
  Status status;
  std::int32_t chunks;
  std::int32_t detail;
};

// What was counted since the caller last took it.
struct SendCounters {
  std::uint64_t zeroCopyAttempts = 0;
  std::uint64_t zeroCopySends = 0;
  std::uint64_t zeroCopyBytes = 0;
  std::uint64_t zeroCopyCopied = 0;
  std::uint64_t regularSends = 0;
  std::uint64_t regularBytes = 0;
  std::uint64_t partialSends = 0;
  std::uint64_t wouldBlock = 0;
  std::uint64_t noBuffers = 0;
  std::uint64_t coordinationFallbacks = 0;
  std::uint64_t chunks = 0;
};

struct ZeroCopyRules {
  bool enabled = false;
  // Smaller batches are sent plainly.
  std::size_t minBytes = 0;
  ZeroCopyMode mode = ZeroCopyMode::adaptive;
};

// What all sockets of a fan-out share while they send.
struct SendContext {
  ChunkHolds& holds;
  const SystemCalls& calls;
  std::vector<iovec>& pieces;
};

// The way of audio into one TCP socket.
//
// Ownership: owns a descriptor of its own, so that a number which Node has closed, and the system
// has given to another file, is never written to. The word of the reservation belongs to the
// caller and must live until the last `send`.
// Threads: one; the reservation is shared with other threads.
class AudioSocket {
 public:
  AudioSocket(Descriptor descriptor, Reservation reservation, Framing framing,
              ZeroCopyRules rules) noexcept;

  // Sends whole chunks by one call into the kernel, once more plainly when it has no room to pin
  // pages.
  [[nodiscard]] Outcome send(const Batch& batch, SendContext& context);

  // Sends a small message plainly; the caller has the right to write.
  // Failure: returns a negative error number. Less than all may be taken.
  [[nodiscard]] ssize_t write(std::span<const std::byte> message, const SystemCalls& calls) const;

  // The right to write, for replies that are written by `write`: see `Reservation`.
  [[nodiscard]] bool tryHold() const noexcept { return reservation_.tryHold(); }
  void release() const noexcept { reservation_.release(); }

  // Reads the completions that wait and releases the chunks of those sends.
  void drain(ChunkHolds& holds, const SystemCalls& calls);

  // Ends the sending for good, while the kernel goes on with what it has. Our own descriptor keeps
  // the connection open, so the peer would not see the end otherwise.
  void finish() noexcept;
  [[nodiscard]] bool isFinished() const noexcept { return isFinished_; }

  // Breaks the connection, so that the kernel releases everything that the peer did not
  // acknowledge. Source: connect(2), AF_UNSPEC; `shutdown` alone would keep it.
  void abort() noexcept;

  [[nodiscard]] int fd() const noexcept { return descriptor_.fd(); }
  [[nodiscard]] bool isZeroCopy() const noexcept { return rules_.enabled; }
  [[nodiscard]] std::uint32_t outstanding() const noexcept { return ledger_.outstanding(); }
  [[nodiscard]] const SendCounters& counters() const noexcept { return counters_; }
  void resetCounters() noexcept { counters_ = {}; }
  void abandon(ChunkHolds& holds) { ledger_.abandon(holds); }

 private:
  [[nodiscard]] std::size_t gather(std::span<const Piece> chunks, std::vector<iovec>& pieces) const;
  [[nodiscard]] ssize_t sendPinned(const msghdr& message, const Batch& batch, SendContext& context);
  [[nodiscard]] ssize_t sendPlainly(const msghdr& message, const SystemCalls& calls);
  [[nodiscard]] Outcome settle(ssize_t taken, std::span<const Piece> chunks, std::size_t bytes);
  [[nodiscard]] std::size_t bytesOf(const Piece& chunk) const noexcept;

  Descriptor descriptor_;
  Reservation reservation_;
  Framing framing_;
  ZeroCopyRules rules_;
  ZeroCopyPolicy policy_;
  CompletionLedger ledger_;
  SendCounters counters_;
  bool isFinished_ = false;
};

}  // namespace zerocast
