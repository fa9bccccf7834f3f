#pragma once

#include <cstddef>
#include <cstdint>

namespace zerocast {

// Lets the file open as `to` have the content of the one open as `from`, by sharing its blocks: both
// must lie on one file system that can do so.
//
// Failure: returns an errno; else 0.
int cloneFile(int from, int to) noexcept;

// Copies within the kernel, up to `bytes` bytes from the place `at` of one file to the same place of
// another; both functions may copy less. They block: not for the thread of an event loop.
//
// Failure: return a negative errno; else how many bytes, 0 at the end of `from`.
std::int64_t copyRange(int from, int to, std::int64_t at, std::size_t bytes) noexcept;
std::int64_t sendRange(int from, int to, std::int64_t at, std::size_t bytes) noexcept;

}  // namespace zerocast
