// Any history of one socket: the policy always comes back to zero-copy in the end.

#include "zero-copy-policy.hpp"

#include "input.hpp"

using namespace zerocast;
using namespace zerocast::fuzz;

namespace {

constexpr std::uint32_t mostWaits = ZeroCopyPolicy::maxBackOffSends + 1;
using State = ZeroCopyPolicy::State;

struct History {
  ZeroCopyPolicy policy;
  ZeroCopyMode mode;
  std::uint32_t outstanding = 0;

  explicit History(ZeroCopyMode mode) : policy(mode), mode(mode) {}

  void send(Input& input) {
    const bool wasWaiting = policy.state() != State::active && outstanding > 0;
    if (!policy.wants()) return;
    check(!wasWaiting, "it never probes while something is in flight");
    switch (input.below(4)) {
      case 0:
        return policy.onNoBuffers(outstanding);
      case 1:
        return;  // the kernel has taken nothing
      default:
        outstanding += 1;
        policy.onAccepted();
    }
  }

  void complete(Input& input) {
    if (outstanding == 0) return;
    const std::uint32_t sends = 1 + input.below(outstanding > 255 ? 255 : outstanding);
    outstanding -= sends;
    policy.onCompleted(sends, input.flip(), outstanding);
  }

  // However it got here: once all is completed a bounded number of sends leads back.
  void expectWayBack() {
    if (outstanding > 0) policy.onCompleted(outstanding, false, 0);
    outstanding = 0;
    std::uint32_t sends = 0;
    while (!policy.wants()) check(++sends <= mostWaits, "it tries again in the end");
    policy.onAccepted();
    policy.onCompleted(1, false, 0);
    check(policy.state() == State::active, "what was not copied makes it active");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  History history(input.flip() ? ZeroCopyMode::always : ZeroCopyMode::adaptive);
  while (input.hasMore()) {
    const std::uint32_t action = input.below(4);
    // Hundreds of sends in a row, which the waits count.
    const std::uint32_t times = action == 3 ? input.byte() : 1;
    for (std::uint32_t turn = 0; turn < times; ++turn) {
      if (action == 2) history.complete(input);
      else history.send(input);
    }
    check(history.mode == ZeroCopyMode::adaptive || history.policy.state() != State::copied,
          "always means always");
  }
  history.expectWayBack();
  return 0;
}
