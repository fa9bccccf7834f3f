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

// Every allocation of this program is counted. These two serve all other forms of `new`.
void* operator new(std::size_t bytes) {
  allocations += 1;
  void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

constexpr int warmUps = 50;
constexpr int sends = 1000;

void expectNoAllocation(Run& t, zerocast::ZeroCopyRules rules) {
  const ChunkMemory memory({1000, 3000, 500});
  FanOutStage stage(rules);
  std::vector<Order> orders;
  for (const Framing framing : {Framing::tcp, Framing::webSocket, Framing::tcp}) {
    orders.push_back({stage.connect(framing).socket, 0, 3});
  }
  // One that is refused costs nothing either.
  orders.push_back({-1, 0, 1});
  std::vector<Outcome> outcomes(orders.size());
  std::vector<std::uint32_t> released(16);
  std::vector<std::byte> received(64 * 1024);
  std::size_t before = 0;
  std::size_t sent = 0;
  std::size_t zeroCopies = 0;
  for (int send = 0; send < warmUps + sends; ++send) {
    if (send == warmUps) before = allocations;
    static_cast<void>(stage.fanOut.deliver(memory.batch(), orders, outcomes, noHurryUs));
    static_cast<void>(stage.fanOut.takeReleased(released));
    for (std::size_t peer = 0; peer < 3; ++peer) {
      sent += outcomes[peer].status == Status::sent ? 1 : 0;
      while (recv(stage.peers[peer].receiver().fd(), received.data(), received.size(),
                  MSG_DONTWAIT) > 0) {
      }
    }
  }
  const std::size_t counted = allocations - before;
  for (const auto& peer : stage.peers) {
    zeroCopies += stage.fanOut.find(peer.socket)->counters().zeroCopySends;
  }
  t.expect(sent == 3 * (warmUps + sends), "everything is sent");
  t.expect((zeroCopies > 0) == rules.enabled, "as it was asked for");
  t.expect(counted == 0, "nothing is allocated");
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
