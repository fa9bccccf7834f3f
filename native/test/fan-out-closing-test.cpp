#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "fan-out-stage.hpp"
#include "fan-out.hpp"
#include "tap.hpp"

using zerocast::FanOut;
using zerocast::Framing;
using zerocast::Outcome;
using zerocast::Status;
using namespace zerocast::test;

namespace {

using Peer = FanOutStage::Peer;

const std::vector<std::uint32_t> small{700, 300, 1200};
const Handles three{0, 1, 2};
// Enough for chunks to wait in the kernel as soon as a peer does not read.
const std::vector<std::uint32_t> large(16, 16 * 1024);

void testAtOnce(Run& run) {
  run.it("closes a socket at once when nothing of it is in flight", [](Run& t) {
    const ChunkMemory memory(small);
    FanOutStage stage(plainly);
    const std::size_t before = openDescriptors();
    auto& peer = stage.connect();
    t.expect(openDescriptors() == before + 3, "it has a descriptor of its own");
    t.expect(stage.sendAll(memory, peer), "it is sent");
    peer.closeByNode();
    stage.fanOut.remove(peer.socket, 0);
    t.expect(openDescriptors() == before + 1, "only the peer's end is open");
    t.expect(stage.fanOut.lingering() == 0, "nothing lingers");
    t.expect(receiveAll(peer.receiver()) == memory.wire(), "the peer gets all");
    t.expect(seesEnd(peer.receiver()), "and the end");
    t.expect(stage.released() == three, "the pool is full");
  });

  run.it("closes a zero-copy socket at once when all is completed", [](Run& t) {
    const ChunkMemory memory(small);
    FanOutStage stage(pinned);
    auto& peer = stage.connect();
    t.expect(stage.sendAll(memory, peer) && stage.awaitCompleted(peer), "it is completed");
    peer.closeByNode();
    const std::size_t before = openDescriptors();
    stage.fanOut.remove(peer.socket, 0);
    t.expect(openDescriptors() == before - 1 && stage.fanOut.lingering() == 0, "it is closed");
    t.expect(receiveAll(peer.receiver()) == memory.wire(), "the peer gets all");
    t.expect(stage.released() == three, "the pool is full");
  });

  run.it("forgets a removed socket, whatever is asked of it", [](Run& t) {
    const ChunkMemory memory(small);
    FanOutStage stage(pinned);
    kernel.scriptsCompletions = true;
    for (const bool lingers : {false, true}) {
      auto& peer = stage.connect();
      if (lingers) t.expect(stage.sendAll(memory, peer), "something is in flight");
      stage.fanOut.remove(peer.socket, 0);
      t.expect(stage.fanOut.lingering() == (lingers ? 1U : 0U), "it lingers or not");
      const std::size_t asked = kernel.pinned;
      // No atomic operation may touch the word any more: its memory may be gone.
      peer.word = 0;
      const auto outcomes = stage.deliver(memory, {{peer.socket, 0, 3}});
      t.expect(isOutcome(outcomes[0], Status::failed, 0, EINVAL), "orders are refused");
      t.expect(kernel.pinned == asked, "the kernel is not asked");
      t.expect(stage.fanOut.find(peer.socket) == nullptr, "it is not found");
      stage.fanOut.remove(peer.socket, 0);
      t.expect(stage.fanOut.lingering() == (lingers ? 1U : 0U), "it is removed once");
    }
    stage.fanOut.remove(-1, 0);
    stage.fanOut.remove(1000, 0);
    kernel.completions = {{0, 0, false}};
    stage.fanOut.sweep(0);
    t.expect(stage.fanOut.lingering() == 0, "it is closed when all is completed");
    t.expect(stage.released() == three, "the pool is full");
  });

  run.it("gives the number of a closed socket to another one, who gets no news of it", [](Run& t) {
    const ChunkMemory memory(small);
    FanOutStage stage(pinned);
    auto& old = stage.connect();
    t.expect(stage.sendAll(memory, old) && stage.awaitCompleted(old), "it works");
    t.expect(stage.released() == three, "the pool is full");
    // Node's number keeps the same socket open.
    stage.fanOut.remove(old.socket, 0);
    auto& next = stage.connect();
    t.expect(next.socket == old.socket, "the number is used again");
    t.expect(stage.sendAll(memory, next), "it sends");
    resetConnection(old.connection.receiver);
    t.expect(awaitNews(old.connection.sender.fd()), "the old connection breaks");
    t.expect(receive(next.receiver(), 2200) == memory.wire(), "the new one is well");
    t.expect(stage.awaitCompleted(next), "and completed");
    t.expect(!awaitNews(stage.fanOut.watchedFd(), POLLIN, 0), "the event loop can sleep");
    t.expect(stage.released() == three && !stage.fanOut.hasReleased(), "the pool is full");
  });
}

// A peer that has not read what the kernel has taken for it, and what that was.
struct Stalled {
  Peer& peer;
  std::vector<std::byte> taken;
};

Stalled stall(FanOutStage& stage, const ChunkMemory& memory) {
  Peer& peer = stage.connect();
  std::vector<std::byte> taken;
  const auto count = static_cast<std::int32_t>(large.size());
  for (Status status = Status::sent; status == Status::sent;) {
    const Outcome outcome = stage.deliver(memory, {{peer.socket, 0, count}}).front();
    status = outcome.status;
    const auto chunks = static_cast<std::size_t>(outcome.chunks);
    auto part = memory.wire(Framing::tcp, 0, chunks);
    if (status == Status::cut) {
      const auto rest = memory.wire(Framing::tcp, chunks, 1);
      part.insert(part.end(), rest.begin(), rest.begin() + outcome.detail);
    }
    taken.insert(taken.end(), part.begin(), part.end());
  }
  return {peer, taken};
}

void testLingering(Run& run) {
  for (const bool talks : {false, true}) {
    const char* const peerKind = talks ? "talks" : "is silent";
    run.it(std::string("brings a peer that ") + peerKind + " all that was sent, and then the end",
           [talks](Run& t) {
             const ChunkMemory memory(large);
             FanOutStage stage(pinned);
             const std::size_t before = openDescriptors();
             const auto [peer, taken] = stall(stage, memory);
             peer.closeByNode();
             stage.fanOut.remove(peer.socket, 0);
             t.expect(stage.fanOut.lingering() == 1, "it lingers");
             stage.fanOut.sweep(FanOut::lingerUs - 1);
             t.expect(stage.fanOut.lingering() == 1, "so long as it may");
             if (talks) t.expect(send(peer.receiver().fd(), "time?", 5, 0) == 5, "the peer talks");
             t.expect(receiveAll(peer.receiver()) == taken, "the peer gets all");
             t.expect(seesEnd(peer.receiver()), "and the end");
             t.expect(stage.awaitLingering(), "nothing lingers");
             t.expect(stage.released().size() == large.size(), "the pool is full");
             closeSocket(peer.connection.receiver);
             t.expect(openDescriptors() == before, "all is closed");
           });
  }

  run.it("breaks with a peer that does not read until the deadline", [](Run& t) {
    constexpr std::int64_t nowUs = 5'000'000;
    const ChunkMemory memory(large);
    FanOutStage stage(pinned);
    const std::size_t before = openDescriptors();
    const auto [peer, taken] = stall(stage, memory);
    auto& other = stage.connect();
    t.expect(stage.sendAll(memory, other), "somebody else has something in flight");
    peer.closeByNode();
    stage.fanOut.remove(peer.socket, nowUs);
    auto& next = stage.connect();
    t.expect(next.socket != peer.socket, "its number is not used again while it lingers");
    stage.fanOut.sweep(nowUs + FanOut::lingerUs - 1);
    t.expect(stage.fanOut.lingering() == 1, "it has time");
    const Handles early = stage.released();
    t.expect(early.size() < large.size(), "its chunks stay");
    stage.fanOut.sweep(nowUs + FanOut::lingerUs);
    t.expect(stage.awaitLingering(), "then it is closed");
    t.expect(receiveAll(peer.receiver()).size() < taken.size(), "the peer does not get all");
    t.expect(stage.readUntilCompleted(other), "the others live on");
    t.expect(stage.released().size() + early.size() == large.size(), "the pool is full");
    t.expect(stage.connect().socket == peer.socket, "its number is free");
    for (const Peer& one : stage.peers) stage.fanOut.remove(one.socket, nowUs);
    stage.peers.clear();
    t.expect(openDescriptors() == before, "all is closed");
  });

  run.it("closes its descriptors when it ends, whatever is in flight", [](Run& t) {
    const ChunkMemory memory(large);
    const std::size_t before = openDescriptors();
    {
      FanOutStage stage(pinned);
      t.expect(!stall(stage, memory).taken.empty(), "something is in flight");
      stage.fanOut.remove(stall(stage, memory).peer.socket, 0);
      t.expect(stage.fanOut.lingering() == 1, "something lingers");
    }
    t.expect(openDescriptors() == before, "all is closed");
  });
}

void testStorm(Run& run) {
  run.it("releases everything although a thousand peers vanish in the middle", [](Run& t) {
    constexpr int rounds = 50;
    constexpr int atOnce = 20;
    const ChunkMemory memory(std::vector<std::uint32_t>(8, 4096));
    FanOutStage stage(pinned);
    const std::size_t before = openDescriptors();
    int broken = 0;
    for (int round = 0; round < rounds; ++round) {
      std::vector<zerocast::Order> orders;
      for (int peer = 0; peer < atOnce; ++peer) orders.push_back({stage.connect().socket, 0, 8});
      for (int tick = 0; tick < 4; ++tick) {
        for (const Outcome& outcome : stage.deliver(memory, orders)) {
          broken += outcome.status == Status::failed ? 1 : 0;
        }
        // Every fourth goes now: before anything was sent again, after it, or with all unread.
        for (auto index = static_cast<std::size_t>(tick); index < atOnce; index += 4) {
          if (index % 8 < 4) receiveArrived(stage.peers[index].receiver());
          resetConnection(stage.peers[index].connection.receiver);
        }
      }
      for (Peer& peer : stage.peers) {
        peer.closeByNode();
        stage.fanOut.remove(peer.socket, 0);
      }
      stage.peers.clear();
      static_cast<void>(stage.fanOut.takeReleased({}));
    }
    t.expect(broken > rounds * atOnce / 4, "many broke while they were served");
    stage.fanOut.sweep(FanOut::lingerUs);
    t.expect(stage.awaitLingering(), "nothing lingers");
    t.expect(openDescriptors() == before, "all is closed");
    t.expect(stage.released().size() == 8 && !stage.fanOut.hasReleased(), "the pool is full");
  });
}

}  // namespace

int main() {
  Run run;
  testAtOnce(run);
  testLingering(run);
  testStorm(run);
  return run.finish();
}
