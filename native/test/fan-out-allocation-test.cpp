#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "fan-out-stage.hpp"
#include "fan-out.hpp"
#include "tap.hpp"

using zerocast::Framing;
using zerocast::Order;
using zerocast::Outcome;
using zerocast::Status;
using namespace zerocast::test;

namespace {

std::atomic<std::size_t> allocations{0};

}  // namespace

// Every allocation of this program is counted; the other forms of `new` come to this one. Never
// inline: the compiler would see one half of the pair and warn that it does not match the other.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  allocations += 1;
  void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}

[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

constexpr std::size_t peerCount = 3;
constexpr std::size_t sends = 1000;
// A socket needs memory for what is in flight, and more of it when a peer is slow to acknowledge:
// whether all of it is there is not known before a round has passed without.
constexpr int maxRounds = 5;

struct Round {
  std::size_t sent = 0;
  std::size_t allocated = 0;
};

Round sendRound(FanOutStage& stage, const ChunkMemory& memory, const std::vector<Order>& orders) {
  Round round;
  std::vector<Outcome> outcomes(orders.size());
  std::vector<std::uint32_t> released(16);
  std::vector<std::byte> received(64 * 1024);
  const std::size_t before = allocations;
  for (std::size_t send = 0; send < sends; ++send) {
    static_cast<void>(stage.fanOut.deliver(memory.batch(), orders, outcomes, noHurryUs));
    static_cast<void>(stage.fanOut.takeReleased(released));
    for (std::size_t peer = 0; peer < peerCount; ++peer) {
      round.sent += outcomes[peer].status == Status::sent ? 1 : 0;
      const int fd = stage.peers[peer].receiver().fd();
      while (recv(fd, received.data(), received.size(), MSG_DONTWAIT) > 0) {
      }
    }
  }
  round.allocated = allocations - before;
  return round;
}

void expectNoAllocation(Run& t, zerocast::ZeroCopyRules rules) {
  const ChunkMemory memory({1000, 3000, 500});
  FanOutStage stage(rules);
  // One that is refused costs nothing either.
  std::vector<Order> orders{{-1, 0, 1}};
  for (const Framing framing : {Framing::tcp, Framing::webSocket, Framing::tcp}) {
    orders.insert(orders.begin(), {stage.connect(framing).socket, 0, 3});
  }
  Round round = sendRound(stage, memory, orders);
  for (int count = 1; count < maxRounds && round.allocated > 0; ++count) {
    round = sendRound(stage, memory, orders);
  }
  t.expect(round.allocated == 0, "nothing is allocated");
  t.expect(round.sent == peerCount * sends, "everything is sent");
  t.expect((kernel.pinned > 0) == rules.enabled, "as it was asked for");
}

}  // namespace

int main() {
  Run run;
  run.it("counts allocations", [](Run& t) {
    const std::size_t before = allocations;
    const std::vector<int> one(1);
    t.expect(allocations == before + 1, "of vectors, for one");
  });
  run.it("allocates nothing to send plainly once it is warm", [](Run& t) {
    expectNoAllocation(t, plainly);
  });
  run.it("allocates nothing to send without a copy once it is warm", [](Run& t) {
    expectNoAllocation(t, pinned);
  });
  return run.finish();
}
