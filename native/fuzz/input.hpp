#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace zerocast::fuzz {

// Decisions out of the bytes that the fuzzer chose; zeros when there are no more.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) noexcept : data_(data), left_(size) {}

  [[nodiscard]] bool hasMore() const noexcept { return left_ > 0; }

  std::uint8_t byte() noexcept {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }

  bool flip() noexcept { return (byte() & 1) != 0; }

  // From 0 to `end` - 1, of at most 256.
  std::uint32_t below(std::uint32_t end) noexcept { return byte() % end; }

  std::uint32_t word() noexcept {
    std::uint32_t value = 0;
    for (int index = 0; index < 4; ++index) value = value << 8 | byte();
    return value;
  }

  // A number of any size, most of them small.
  std::uint32_t someNumber() noexcept {
    const std::uint32_t kind = below(4);
    if (kind < 2) return byte();
    return kind == 2 ? std::uint32_t{byte()} << 8 | byte() : word();
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

// An invariant: the fuzzer keeps the input that breaks it.
inline void check(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

}  // namespace zerocast::fuzz

// What every target is. Source: LLVM, "libFuzzer", "Fuzz Target".
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
