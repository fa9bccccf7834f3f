#pragma once

#include <cstddef>

namespace zerocast {

// Bytes that the kernel holds ready on a pipe or socket, still unread.
//
// Failure: returns a negative errno.
int unreadBytes(int fd) noexcept;

// Reads what is there, at most `capacity` bytes, from a descriptor that does not block.
//
// Failure: returns a negative errno, also when nothing is there; 0 at the end.
int readUnread(int fd, void* target, std::size_t capacity) noexcept;

// Makes the kernel hold no more than about `bytes` that are unread; a pipe is made smaller only. Returns how many
// those are now.
//
// Failure: returns a negative errno; what cannot be limited stays as it is.
int limitUnread(int fd, int bytes) noexcept;

// Makes a pipe hold at least `bytes` that are unread, where the system allows that. Returns how many those are now.
//
// Failure: returns a negative errno, as of what is no pipe.
int widenPipe(int fd, int bytes) noexcept;

}  // namespace zerocast
