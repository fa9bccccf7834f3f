#include "slab.hpp"

#include <cstdint>
#include <utility>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <malloc.h>
#include <windows.h>

#include <cstring>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace zerocast {

namespace {

#ifdef _WIN32

std::size_t askPageBytes() noexcept {
  SYSTEM_INFO info{};
  GetSystemInfo(&info);
  return info.dwPageSize;
}

void* mapPages(std::size_t bytes) noexcept {
  void* pages = _aligned_malloc(bytes, pageBytes());
  if (pages != nullptr) std::memset(pages, 0, bytes);
  return pages;
}

void unmapPages(void* pages, std::size_t) noexcept { _aligned_free(pages); }

#else

std::size_t askPageBytes() noexcept {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// A mapping of its own instead of the heap: the pages go back to the system at once, whatever
// else the process has allocated since.
void* mapPages(std::size_t bytes) noexcept {
  void* pages =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? nullptr : pages;
}

void unmapPages(void* pages, std::size_t bytes) noexcept { munmap(pages, bytes); }

#endif

}  // namespace

std::size_t pageBytes() noexcept { return askPageBytes(); }

bool isPageAligned(const void* address) noexcept {
  return reinterpret_cast<std::uintptr_t>(address) % pageBytes() == 0;
}

std::optional<Slab> Slab::allocate(std::size_t bytes) noexcept {
  if (bytes == 0) return std::nullopt;
  void* pages = mapPages(bytes);
  if (pages == nullptr) return std::nullopt;
  return Slab(static_cast<std::byte*>(pages), bytes);
}

void Slab::free(void* data, std::size_t bytes) noexcept {
  if (data != nullptr) unmapPages(data, bytes);
}

Slab::Slab(Slab&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Slab& Slab::operator=(Slab&& other) noexcept {
  if (this != &other) {
    free(data_, bytes_);
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

Slab::~Slab() { free(data_, bytes_); }

std::byte* Slab::release() noexcept {
  bytes_ = 0;
  return std::exchange(data_, nullptr);
}

}  // namespace zerocast
