#pragma once

namespace zerocast {

// Locks an open file for this process, until the descriptor is closed or the process ends.
//
// Failure: returns an errno, EWOULDBLOCK when another process holds it; else 0.
int lockFile(int fd) noexcept;

}  // namespace zerocast
