#pragma once

#include <string_view>

namespace zerocast {

// Sends one datagram to a Unix socket; a path that begins with @ is an abstract name.
//
// Failure: returns an errno, else 0; never waits.
int sendDatagram(std::string_view path, std::string_view text) noexcept;

}  // namespace zerocast
