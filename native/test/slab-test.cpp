#include "slab.hpp"

#include <algorithm>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "tap.hpp"

using zerocast::Slab;
using zerocast::test::Run;

namespace {

constexpr std::size_t slabBytes = 64 * 1024;

#ifdef __linux__
// mincore fails with ENOMEM for addresses that are not mapped.
bool isMapped(std::byte* address) {
  unsigned char resident = 0;
  return mincore(address, 1, &resident) == 0;
}
#endif

void testAllocation(Run& run) {
  run.it("starts every slab at the first byte of a page", [](Run& t) {
    std::vector<Slab> slabs;
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{1000}, slabBytes, 3 * slabBytes}) {
      auto slab = Slab::allocate(bytes);
      t.expect(slab.has_value(), "the slab is allocated");
      if (!slab) continue;
      t.expect(zerocast::isPageAligned(slab->data()), "its first byte begins a page");
      t.expect(!zerocast::isPageAligned(slab->data() + 1), "its second byte does not");
      t.expect(slab->bytes() == bytes, "it has the size asked for");
      slabs.push_back(*std::move(slab));
    }
  });

  run.it("gives memory that is zero and writable to the last byte", [](Run& t) {
    const auto slab = Slab::allocate(slabBytes);
    t.expect(slab.has_value(), "the slab is allocated");
    if (!slab) return;
    std::byte* const end = slab->data() + slab->bytes();
    t.expect(std::all_of(slab->data(), end, [](std::byte b) { return b == std::byte{0}; }),
             "every byte is zero");
    std::fill(slab->data(), end, std::byte{0xA5});
    t.expect(*(end - 1) == std::byte{0xA5}, "the last byte is kept");
  });

  run.it("refuses a size that nobody can have", [](Run& t) {
    t.expect(!Slab::allocate(0), "no bytes are no slab");
    t.expect(!Slab::allocate(SIZE_MAX / 2), "half of the address space is no slab");
  });
}

void testOwnership(Run& run) {
  run.it("moves its memory to exactly one owner", [](Run& t) {
    auto first = Slab::allocate(slabBytes);
    auto second = Slab::allocate(slabBytes);
    t.expect(first && second, "both slabs are allocated");
    if (!first || !second) return;
    const std::byte* const memory = first->data();
    Slab moved(*std::move(first));
    t.expect(moved.data() == memory && moved.bytes() == slabBytes, "the new owner has it");
    t.expect(first->data() == nullptr && first->bytes() == 0, "the old owner has nothing");
    *second = std::move(moved);
    t.expect(second->data() == memory, "assignment hands it on");
  });

  run.it("lets another thread free what was released", [](Run& t) {
    auto slab = Slab::allocate(slabBytes);
    t.expect(slab.has_value(), "the slab is allocated");
    if (!slab) return;
    std::byte* const memory = slab->release();
    t.expect(slab->data() == nullptr, "the slab lets go of its memory");
    memory[slabBytes - 1] = std::byte{1};
    std::thread([memory] { Slab::free(memory, slabBytes); }).join();
    Slab::free(nullptr, slabBytes);
  });

#ifdef __linux__
  run.it("gives its pages back to the system when it is destroyed or overwritten", [](Run& t) {
    std::byte* memory = nullptr;
    {
      auto slab = Slab::allocate(slabBytes);
      t.expect(slab.has_value(), "the slab is allocated");
      if (!slab) return;
      memory = slab->data();
      t.expect(isMapped(memory), "its pages are mapped while it lives");
    }
    t.expect(!isMapped(memory), "its pages are gone with it");
    auto overwritten = Slab::allocate(slabBytes);
    auto other = Slab::allocate(slabBytes);
    if (!overwritten || !other) return t.expect(false, "both slabs are allocated");
    memory = overwritten->data();
    *overwritten = *std::move(other);
    t.expect(!isMapped(memory), "the pages of the overwritten slab are gone");
  });
#endif
}

}  // namespace

int main() {
  Run run;
  testAllocation(run);
  testOwnership(run);
  return run.finish();
}
