#pragma once

#include <cstddef>
#include <optional>

namespace zerocast {

// Size of a memory page of this machine.
[[nodiscard]] std::size_t pageBytes() noexcept;

// True when `address` is the first byte of a page.
[[nodiscard]] bool isPageAligned(const void* address) noexcept;

// Page-aligned, zero-filled memory for the slots of a chunk pool: a slab shares no page with
// anything else, so pinning its pages for a zero-copy send pins nothing but audio.
//
// Ownership: the slab owns its memory and gives it back to the system when it is destroyed;
// `release` hands that duty to the caller, who ends it with `free`.
// Threads: a slab belongs to one thread at a time; `free` may be called from any thread.
class Slab {
 public:
  // Empty when `bytes` is 0 or the system has no such memory.
  [[nodiscard]] static std::optional<Slab> allocate(std::size_t bytes) noexcept;

  // Gives back the memory of a released slab.
  static void free(void* data, std::size_t bytes) noexcept;

  Slab(Slab&& other) noexcept;
  Slab& operator=(Slab&& other) noexcept;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  [[nodiscard]] std::byte* release() noexcept;

 private:
  Slab(std::byte* data, std::size_t bytes) noexcept : data_(data), bytes_(bytes) {}

  std::byte* data_;
  std::size_t bytes_;
};

}  // namespace zerocast
