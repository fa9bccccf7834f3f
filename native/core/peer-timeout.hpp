#pragma once

namespace zerocast {

// Makes the kernel break a TCP connection whose peer has acknowledged nothing for `timeoutMs`,
// whether data is under way (TCP_USER_TIMEOUT) or not (keepalive probes).
//
// Failure: returns an errno, else 0.
int setPeerTimeout(int fd, int timeoutMs) noexcept;

}  // namespace zerocast
