// Sends and completions in any order, also across the wrap of their numbers, against a model.

#include "completion-ledger.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "holds-model.hpp"

using namespace zerocast;
using namespace zerocast::fuzz;

namespace {

class LedgerModel {
 public:
  explicit LedgerModel(std::uint32_t firstId) : next_(firstId), oldest_(firstId) {}

  [[nodiscard]] bool isFull() const { return next_ - oldest_ >= CompletionLedger::maxOutstanding; }
  [[nodiscard]] std::size_t outstanding() const { return onAir_.size(); }
  [[nodiscard]] std::uint32_t next() const { return next_; }

  void accept(const std::vector<std::uint32_t>& handles, HoldsModel& holds) {
    onAir_[next_++] = handles;
    for (const std::uint32_t handle : handles) holds.hold(handle);
  }

  std::uint32_t complete(std::uint32_t first, std::uint32_t last, HoldsModel& holds) {
    std::uint32_t ended = 0;
    for (auto send = onAir_.begin(); send != onAir_.end();) {
      if (send->first - first > last - first) {
        ++send;
        continue;
      }
      for (const std::uint32_t handle : send->second) holds.release(handle);
      send = onAir_.erase(send);
      ended += 1;
    }
    while (oldest_ != next_ && !onAir_.contains(oldest_)) oldest_ += 1;
    return ended;
  }

 private:
  std::map<std::uint32_t, std::vector<std::uint32_t>> onAir_;
  std::uint32_t next_;
  std::uint32_t oldest_;
};

struct Bench {
  ChunkHolds holds;
  HoldsModel holdsModel;
  CompletionLedger ledger;
  LedgerModel model;

  explicit Bench(std::uint32_t firstId) : ledger(firstId), model(firstId) {}

  void accept(Input& input) {
    check(ledger.isFull() == model.isFull(), "it knows when it is full");
    if (ledger.isFull()) return;
    std::vector<std::uint32_t> handles(input.below(20));
    for (std::uint32_t& handle : handles) handle = input.below(32);
    ledger.accept(handles, holds);
    model.accept(handles, holdsModel);
  }

  void complete(std::uint32_t first, std::uint32_t last) {
    const std::uint32_t expected = model.complete(first, last, holdsModel);
    check(ledger.complete(first, last, holds) == expected, "exactly the sends of the range end");
  }

  void completeSome(Input& input) {
    // Near the newest ones, or anywhere.
    const std::uint32_t first =
        input.flip() ? model.next() - input.someNumber() : input.someNumber();
    const std::uint32_t last = input.below(4) == 0 ? input.word() : first + input.someNumber();
    complete(first, last);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Bench bench(input.flip() ? 0U - input.byte() : input.word());
  while (input.hasMore()) {
    switch (input.below(6)) {
      case 0:
      case 1:
      case 2:
        bench.accept(input);
        break;
      case 3:
      case 4:
        bench.completeSome(input);
        break;
      default:
        bench.holdsModel.takeFrom(bench.holds, input.below(16));
    }
    check(bench.ledger.outstanding() == bench.model.outstanding(), "it knows what is in flight");
  }
  bench.ledger.abandon(bench.holds);
  bench.model.complete(0, UINT32_MAX, bench.holdsModel);
  check(bench.ledger.outstanding() == 0 && bench.holdsModel.holdsNothing(), "all is let go");
  bench.holdsModel.takeFrom(bench.holds, 4096);
  return 0;
}
