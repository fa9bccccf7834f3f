#pragma once

#include <cstdint>

#include "system-calls.hpp"

namespace zerocast {

// Zero-copy sends `first`..`last` (both included, the numbers wrap) are completed. `copied`: the
// kernel copied the first of them after all; of the others it says nothing.
struct CompletionRange {
  std::uint32_t first;
  std::uint32_t last;
  bool copied;
};

// A socket has at most `CompletionLedger::maxOutstanding` completions waiting; the rest is room for
// interrupted calls and for messages that are none of ours.
inline constexpr std::uint32_t maxErrorQueueReads = 1024;

enum class ErrorQueueRead : std::uint8_t { completion, other, end };

// Takes one message off the error queue of a socket and fills `range` if it is a completion.
// Failure: `other` for an interrupted call, a foreign message, or one whose numbers were cut off
// (its chunks then stay held until they are abandoned); `end` when nothing waits or on any other
// error.
[[nodiscard]] ErrorQueueRead readErrorQueue(int fd, const SystemCalls& system,
                                            CompletionRange& range) noexcept;

// Reads all completions that wait on a socket, calls `visit(const CompletionRange&)` for each, and
// returns how many there were. Never blocks.
//
// It reads until the kernel has no more, for an edge-triggered watcher is not told twice.
// Source: Kernel msg_zerocopy.rst, "Notification Reception".
template <typename Visitor>
std::uint32_t readCompletions(int fd, const SystemCalls& system, Visitor&& visit) {
  std::uint32_t ranges = 0;
  for (std::uint32_t reads = 0; reads < maxErrorQueueReads; ++reads) {
    CompletionRange range{};
    const ErrorQueueRead read = readErrorQueue(fd, system, range);
    if (read == ErrorQueueRead::end) break;
    if (read == ErrorQueueRead::other) continue;
    ++ranges;
    visit(static_cast<const CompletionRange&>(range));
  }
  return ranges;
}

}  // namespace zerocast
