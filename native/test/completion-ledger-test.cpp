#include "completion-ledger.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <new>
#include <random>
#include <vector>

#include "tap.hpp"

#ifdef __linux__
#include "aborts.hpp"
#endif

using zerocast::ChunkHolds;
using zerocast::CompletionLedger;
using zerocast::test::Run;

namespace {

std::size_t allocations = 0;

}  // namespace

// Counted, to see that a warm ledger needs none. Inlined, they look mismatched to the compiler.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using Handles = std::vector<std::uint32_t>;

constexpr std::uint32_t maxOutstanding = CompletionLedger::maxOutstanding;
constexpr std::uint32_t nearTheWrap = UINT32_MAX - 99;

Handles takeAll(ChunkHolds& holds) {
  Handles taken(4096);
  taken.resize(holds.takeReleased(taken));
  std::sort(taken.begin(), taken.end());
  return taken;
}

void accept(CompletionLedger& ledger, ChunkHolds& holds, const Handles& handles) {
  ledger.accept(handles, holds);
}

void testRanges(Run& run) {
  run.it("lets go of the chunks of a send when it is completed", [](Run& t) {
    ChunkHolds holds;
    CompletionLedger ledger;
    accept(ledger, holds, {3, 4});
    accept(ledger, holds, {4, 5});
    t.expect(ledger.outstanding() == 2, "two sends are in flight");
    t.expect(ledger.complete(0, 0, holds) == 1, "the first ends");
    t.expect(takeAll(holds) == Handles{3}, "the chunk of both stays");
    t.expect(ledger.complete(1, 1, holds) == 1, "the second ends");
    t.expect(takeAll(holds) == Handles({4, 5}), "the pool is full");
    t.expect(ledger.outstanding() == 0, "nothing is in flight");
  });

  run.it("lets go at once although an older send is still out", [](Run& t) {
    ChunkHolds holds;
    CompletionLedger ledger;
    for (std::uint32_t handle = 0; handle < 4; ++handle) accept(ledger, holds, {handle});
    t.expect(ledger.complete(2, 3, holds) == 2, "the younger two end");
    t.expect(takeAll(holds) == Handles({2, 3}), "their chunks are let go");
    t.expect(ledger.outstanding() == 2, "the older two are in flight");
    t.expect(ledger.complete(0, 1, holds) == 2, "then they end");
    t.expect(takeAll(holds) == Handles({0, 1}), "the pool is full");
  });

  run.it("ends a range that wraps from the greatest number to 0", [](Run& t) {
    ChunkHolds holds;
    CompletionLedger ledger(UINT32_MAX - 1);
    for (std::uint32_t handle = 0; handle < 5; ++handle) accept(ledger, holds, {handle});
    t.expect(ledger.complete(UINT32_MAX, 1, holds) == 3, "the three sends around the wrap end");
    t.expect(takeAll(holds) == Handles({1, 2, 3}), "with their chunks");
    t.expect(ledger.complete(UINT32_MAX - 1, 2, holds) == 2, "the two at the ends follow");
    t.expect(takeAll(holds) == Handles({0, 4}), "the pool is full");
  });

  run.it("ignores numbers that are not in flight", [](Run& t) {
    ChunkHolds holds;
    CompletionLedger ledger(10);
    t.expect(ledger.complete(0, UINT32_MAX, holds) == 0, "an idle socket has nothing to end");
    for (std::uint32_t handle = 0; handle < 3; ++handle) accept(ledger, holds, {handle});
    t.expect(ledger.complete(13, 13, holds) == 0, "a number that is not given yet");
    t.expect(ledger.complete(9, 9, holds) == 0, "a number from before");
    t.expect(ledger.complete(13, 9, holds) == 0, "every number but those in flight");
    t.expect(takeAll(holds).empty(), "no chunk is let go");
    t.expect(ledger.complete(11, 11, holds) == 1, "one ends");
    t.expect(ledger.complete(11, 11, holds) == 0, "but not twice");
    t.expect(ledger.complete(10, 12, holds) == 2, "nor in a range around it");
    t.expect(takeAll(holds) == Handles({0, 1, 2}), "the pool is full");
    t.expect(ledger.complete(10, 12, holds) == 0, "a repeated range ends nothing");
  });

  run.it("ends exactly what is in flight for ranges that cover everything", [](Run& t) {
    const std::array<std::array<std::uint32_t, 2>, 4> ranges{
        {{0, UINT32_MAX}, {7, 6}, {UINT32_MAX - 9, 1000}, {nearTheWrap + 1, nearTheWrap}}};
    for (const auto& [first, last] : ranges) {
      ChunkHolds holds;
      CompletionLedger ledger(UINT32_MAX - 1);
      for (std::uint32_t handle = 0; handle < 6; ++handle) accept(ledger, holds, {handle});
      t.expect(ledger.complete(first, last, holds) == 6, "all end");
      t.expect(takeAll(holds) == Handles({0, 1, 2, 3, 4, 5}), "the pool is full");
    }
  });

  run.it("counts a send that needs no chunk", [](Run& t) {
    ChunkHolds holds;
    CompletionLedger ledger;
    accept(ledger, holds, {});
    accept(ledger, holds, {8});
    t.expect(ledger.complete(1, 1, holds) == 1, "the number of the next send is 1");
    t.expect(takeAll(holds) == Handles{8}, "the pool is full");
    t.expect(ledger.complete(0, 0, holds) == 1, "the empty one ends as well");
  });

  run.it("lets go of everything when it is abandoned, and of nothing afterwards", [](Run& t) {
    ChunkHolds holds;
    CompletionLedger ledger(UINT32_MAX);
    for (std::uint32_t handle = 0; handle < 4; ++handle) accept(ledger, holds, {handle, 9});
    ledger.complete(1, 1, holds);
    ledger.abandon(holds);
    t.expect(takeAll(holds) == Handles({0, 1, 2, 3, 9}), "the pool is full");
    t.expect(ledger.outstanding() == 0, "nothing is in flight");
    ledger.abandon(holds);
    t.expect(ledger.complete(UINT32_MAX, 2, holds) == 0, "a late completion ends nothing");
    t.expect(!holds.hasReleased(), "no chunk is let go twice");
  });
}

void testLimits(Run& run) {
  run.it("is full when so many numbers lie between the oldest send and the next", [](Run& t) {
    ChunkHolds holds;
    CompletionLedger ledger(nearTheWrap);
    for (std::uint32_t count = 0; count < maxOutstanding; ++count) {
      t.expect(!ledger.isFull(), "there is room up to the limit");
      accept(ledger, holds, {count});
    }
    t.expect(ledger.isFull(), "it is full at the limit");
    ledger.complete(nearTheWrap + 1, nearTheWrap + maxOutstanding - 1, holds);
    t.expect(ledger.outstanding() == 1 && ledger.isFull(), "the oldest send alone keeps it full");
    ledger.complete(nearTheWrap, nearTheWrap, holds);
    t.expect(!ledger.isFull(), "its completion makes room");
    t.expect(takeAll(holds).size() == maxOutstanding, "the pool is full");
  });

#ifdef __linux__
  run.it("stops the process instead of losing track of a send", [](Run& t) {
    ChunkHolds holds;
    CompletionLedger ledger;
    while (!ledger.isFull()) accept(ledger, holds, {1});
    t.expect(zerocast::test::aborts([&] { accept(ledger, holds, {1}); }), "one more is refused");
    ledger.abandon(holds);
    t.expect(takeAll(holds) == Handles{1}, "the pool is full");
  });
#endif

  run.it("needs no memory before the first send, and no more once it is warm", [](Run& t) {
    t.expect(sizeof(CompletionLedger) <= 80, "an idle ledger is small");
    ChunkHolds holds;
    const Handles chunks{0, 1, 2, 3, 4};
    std::array<std::uint32_t, 8> released{};
    std::size_t before = allocations;
    CompletionLedger ledger(nearTheWrap);
    t.expect(allocations == before, "an idle ledger has allocated nothing");
    std::uint32_t next = nearTheWrap;
    const auto rounds = [&](int count) {
      for (int round = 0; round < count; ++round) {
        for (int send = 0; send < 6; ++send) ledger.accept(chunks, holds);
        ledger.complete(next + 3, next + 5, holds);
        ledger.complete(next, next + 2, holds);
        next += 6;
        if (holds.takeReleased(released) != chunks.size()) return false;
      }
      return true;
    };
    t.expect(rounds(2), "every round ends with a full pool");
    before = allocations;
    t.expect(rounds(1000), "every round ends with a full pool, also across the wrap");
    t.expect(allocations == before, "a warm ledger allocates nothing");
  });
}

// The same promises, kept by numbers that never wrap and a search for everything.
class Model {
 public:
  [[nodiscard]] std::uint64_t oldest() const {
    return onAir_.empty() ? next : onAir_.begin()->first;
  }
  [[nodiscard]] std::size_t outstanding() const { return onAir_.size(); }

  void accept(const Handles& handles) {
    onAir_[next++] = handles;
    for (const std::uint32_t handle : handles) ++counts_[handle];
  }

  template <typename InRange>
  std::uint32_t complete(InRange&& inRange, Handles& released) {
    std::uint32_t ended = 0;
    for (auto send = onAir_.begin(); send != onAir_.end();) {
      if (!inRange(send->first)) {
        ++send;
        continue;
      }
      for (const std::uint32_t handle : send->second) {
        if (--counts_[handle] == 0) released.push_back(handle);
      }
      send = onAir_.erase(send);
      ++ended;
    }
    return ended;
  }

  std::uint64_t next = nearTheWrap;

 private:
  std::map<std::uint64_t, Handles> onAir_;
  std::map<std::uint32_t, int> counts_;
};

struct Walk {
  std::mt19937 random;
  Model model;
  ChunkHolds holds;
  CompletionLedger ledger{nearTheWrap};
  bool agrees = true;
  bool wasFull = false;

  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); }

  void acceptOne() {
    Handles handles(below(5));
    for (std::uint32_t& handle : handles) handle = below(40);
    model.accept(handles);
    ledger.accept(handles, holds);
  }

  // Mostly what a kernel says: a short range near the oldest; now and then far more, or nonsense.
  void completeSome() {
    const std::uint32_t kind = below(200);
    const auto reach = static_cast<std::uint32_t>(model.next - model.oldest()) + 8;
    auto first = static_cast<std::uint32_t>(model.oldest()) - 4 + below(kind < 100 ? 8 : reach);
    std::uint32_t last = first + below(kind < 100 ? 8 : reach);
    if (kind == 0) last = first - 1 - below(20);
    if (kind == 1) first = static_cast<std::uint32_t>(random());
    completeRange(first, last);
  }

  void completeRange(std::uint32_t first, std::uint32_t last) {
    // Comparisons of numbers, case by case: the model must not share the arithmetic of the ledger.
    const auto inRange = [&](std::uint64_t id) {
      const std::uint64_t number = id % (1ULL << 32);
      return first <= last ? first <= number && number <= last : number >= first || number <= last;
    };
    Handles released;
    const std::uint32_t ended = model.complete(inRange, released);
    std::sort(released.begin(), released.end());
    agrees = agrees && ledger.complete(first, last, holds) == ended && takeAll(holds) == released;
  }

  void step(std::uint32_t acceptPercent) {
    if (below(100) < acceptPercent && !ledger.isFull()) {
      acceptOne();
    } else {
      completeSome();
    }
    wasFull = wasFull || ledger.isFull();
    agrees = agrees && ledger.outstanding() == model.outstanding();
    agrees = agrees && ledger.isFull() == (model.next - model.oldest() >= maxOutstanding);
  }
};

void testModel(Run& run) {
  run.it("agrees with a simple model over random sequences across the wrap", [](Run& t) {
    bool wasFull = false;
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
      Walk walk{.random = std::mt19937(seed), .model = {}, .holds = {}};
      for (int step = 0; step < 3000; ++step) walk.step(seed % 2 == 0 ? 97 : 70);
      t.expect(walk.agrees, "counts and released chunks are those of the model");
      t.expect(walk.model.next > UINT32_MAX, "the numbers have wrapped");
      walk.completeRange(0, UINT32_MAX);
      t.expect(walk.agrees && walk.ledger.outstanding() == 0, "the pool is full");
      wasFull = wasFull || walk.wasFull;
    }
    t.expect(wasFull, "some of the sequences have met the limit");
  });
}

}  // namespace

int main() {
  Run run;
  testRanges(run);
  testLimits(run);
  testModel(run);
  return run.finish();
}
