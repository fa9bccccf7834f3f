#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "system-calls.hpp"

namespace zerocast {

// How far a zero-copy send came: connecting over loopback, SO_ZEROCOPY, the send with MSG_ZEROCOPY,
// the completion from the error queue.
enum class ProbeStep : std::uint8_t { connect, allow, send, complete, done };

struct ZeroCopyProbe {
  // The step that failed; `done` when none did.
  ProbeStep step = ProbeStep::connect;
  // The errno of that step, ETIMEDOUT for a completion that did not come; 0 when all went well.
  int error = 0;
  // SO_EE_CODE_ZEROCOPY_COPIED: the kernel copied after all, as it always does over loopback.
  bool copied = false;
};

// The calls of a probe whose failures a test scripts.
struct ProbeCalls {
  SystemCalls system = {};
  int (*setsockopt)(int fd, int level, int name, const void* value, socklen_t bytes) = ::setsockopt;
};

// Sends a few pages without copying to a connection of its own, and waits for the completion, at
// most `patienceMs`. Leaves nothing open.
[[nodiscard]] ZeroCopyProbe sendZeroCopyProbe(const ProbeCalls& calls = {},
                                              int patienceMs = 1000) noexcept;

}  // namespace zerocast
