#include "chunk-holds.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "tap.hpp"

#ifdef __linux__
#include "aborts.hpp"
#endif

using zerocast::ChunkHolds;
using zerocast::test::Run;

namespace {

using Handles = std::vector<std::uint32_t>;

Handles takeAll(ChunkHolds& holds) {
  Handles taken(64);
  taken.resize(holds.takeReleased(taken));
  std::sort(taken.begin(), taken.end());
  return taken;
}

void testCounting(Run& run) {
  run.it("names a handle once, after the last of its holds", [](Run& t) {
    ChunkHolds holds;
    holds.hold(7);
    holds.hold(7);
    holds.release(7);
    t.expect(!holds.hasReleased(), "one hold keeps it");
    holds.release(7);
    t.expect(holds.hasReleased(), "the last hold lets it go");
    t.expect(takeAll(holds) == Handles{7}, "it is named");
    t.expect(!holds.hasReleased() && takeAll(holds).empty(), "it is not named again");
  });

  run.it("counts every handle for itself", [](Run& t) {
    ChunkHolds holds;
    for (const std::uint32_t handle : {0U, 1U, 40U}) holds.hold(handle);
    holds.release(40);
    holds.release(0);
    t.expect(takeAll(holds) == Handles{0, 40}, "the others do not hold them");
    holds.release(1);
    t.expect(takeAll(holds) == Handles{1}, "the last one goes too");
  });

  run.it("serves the next chunk that is given the same handle", [](Run& t) {
    ChunkHolds holds;
    for (int life = 0; life < 3; ++life) {
      holds.hold(5);
      t.expect(!holds.hasReleased(), "a new chunk is held");
      holds.release(5);
      t.expect(takeAll(holds) == Handles{5}, "and let go");
    }
  });

  run.it("moves out as many handles as fit and keeps the rest", [](Run& t) {
    ChunkHolds holds;
    for (std::uint32_t handle = 0; handle < 10; ++handle) holds.hold(handle);
    for (std::uint32_t handle = 0; handle < 10; ++handle) holds.release(handle);
    Handles seen;
    std::array<std::uint32_t, 4> some{};
    t.expect(holds.takeReleased({}) == 0, "nothing fits into nothing");
    for (const std::size_t expected : {4U, 4U, 2U, 0U}) {
      const std::size_t taken = holds.takeReleased(some);
      t.expect(taken == expected, "it fills what it is given");
      seen.insert(seen.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(taken));
    }
    std::sort(seen.begin(), seen.end());
    t.expect(seen == Handles({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), "each handle is named once");
  });

  run.it("keeps a chunk that is needed again before it was taken", [](Run& t) {
    ChunkHolds holds;
    for (std::uint32_t handle = 0; handle < 4; ++handle) holds.hold(handle);
    for (std::uint32_t handle = 0; handle < 4; ++handle) holds.release(handle);
    holds.hold(1);
    holds.hold(3);
    t.expect(takeAll(holds) == Handles({0, 2}), "only what nobody needs is named");
    holds.release(3);
    holds.release(1);
    t.expect(takeAll(holds) == Handles({1, 3}), "the rest follows when it is let go");
  });
}

void testModel(Run& run) {
  run.it("agrees with a plain count over a long random sequence", [](Run& t) {
    constexpr std::uint32_t handles = 24;
    std::mt19937 random(20);
    ChunkHolds holds;
    std::map<std::uint32_t, int> counts;
    Handles free;
    bool agrees = true;
    for (int step = 0; step < 50'000; ++step) {
      const auto handle = static_cast<std::uint32_t>(random() % handles);
      const auto listed = std::find(free.begin(), free.end(), handle);
      const auto what = random() % 9;
      if (what < 4) {
        holds.hold(handle);
        if (++counts[handle] == 1 && listed != free.end()) free.erase(listed);
      } else if (what < 8 && counts[handle] > 0) {
        holds.release(handle);
        if (--counts[handle] == 0) free.push_back(handle);
      } else if (what == 8) {
        std::sort(free.begin(), free.end());
        agrees = agrees && takeAll(holds) == free;
        free.clear();
      }
      agrees = agrees && holds.hasReleased() == !free.empty();
    }
    t.expect(agrees, "the released handles are those that nobody holds");
  });
}

#ifdef __linux__
void testMisuse(Run& run) {
  run.it("stops the process instead of freeing memory that somebody may need", [](Run& t) {
    using zerocast::test::aborts;
    ChunkHolds holds;
    holds.hold(2);
    holds.release(2);
    t.expect(aborts([&] { holds.release(2); }), "a hold ends once");
    t.expect(aborts([&] { holds.release(1); }), "a handle that was never held");
    t.expect(aborts([&] { holds.release(UINT32_MAX); }), "a handle beyond all");
    t.expect(aborts([&] { holds.hold(ChunkHolds::maxHandles); }), "a handle out of range");
    t.expect(!aborts([&] { holds.hold(ChunkHolds::maxHandles - 1); }), "the greatest is held");
  });
}
#endif

}  // namespace

int main() {
  Run run;
  testCounting(run);
  testModel(run);
#ifdef __linux__
  testMisuse(run);
#endif
  return run.finish();
}
