#include "fan-out.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "fan-out-stage.hpp"
#include "tap.hpp"

using zerocast::SocketWatcher;
using zerocast::FanOut;
using zerocast::Framing;
using zerocast::Order;
using zerocast::Outcome;
using zerocast::Reservation;
using zerocast::Status;
using namespace zerocast::test;

namespace {

const std::vector<std::uint32_t> sizes{700, 300, 1200};
const Handles all{0, 1, 2};

// What an outcome is before anybody writes it.
constexpr Outcome untouched{Status::reserved, -7, -7};

bool isUntouched(const Outcome& outcome) {
  return isOutcome(outcome, untouched.status, untouched.chunks, untouched.detail);
}

void testOrders(Run& run) {
  run.it("gives every session its own part of the window", [](Run& t) {
    const ChunkMemory memory(sizes);
    FanOutStage stage(plainly);
    auto& whole = stage.connect();
    auto& framed = stage.connect(Framing::webSocket);
    auto& last = stage.connect();
    const auto outcomes = stage.deliver(
        memory, {{last.socket, 2, 1}, {framed.socket, 1, 2}, {whole.socket, 0, 3}});
    t.expect(outcomes.size() == 3, "all are served");
    t.expect(isOutcome(outcomes[0], Status::sent, 1, 0), "one chunk");
    t.expect(isOutcome(outcomes[1], Status::sent, 2, 0), "two chunks");
    t.expect(isOutcome(outcomes[2], Status::sent, 3, 0), "three chunks");
    t.expect(receive(whole.receiver(), 2200) == memory.wire(), "all of it");
    const auto frames = memory.wire(Framing::webSocket, 1, 2);
    t.expect(receive(framed.receiver(), frames.size()) == frames, "two frames");
    t.expect(receive(last.receiver(), 1200) == memory.wire(Framing::tcp, 2, 1), "the last one");
    for (const auto& peer : stage.peers) {
      t.expect(peer.word == 0 && hasNothing(peer.receiver()), "and nothing else");
    }
    t.expect(stage.released() == all, "the pool is full");
  });

  run.it("writes a small message to one socket, and says when there is none", [](Run& t) {
    FanOutStage stage(plainly);
    const auto& peer = stage.connect();
    const std::vector<std::byte> message(34, std::byte{7});
    t.expect(stage.fanOut.write(peer.socket, message) == 34, "the kernel takes it");
    t.expect(receive(peer.receiver(), 34) == message, "the peer has it");
    t.expect(stage.fanOut.write(peer.socket + 1, message) == -EINVAL, "there is no other socket");
    stage.fanOut.remove(peer.socket, 0);
    t.expect(stage.fanOut.write(peer.socket, message) == -EINVAL, "nor this one any more");
  });

  run.it("gives all descriptors back when it is closed", [](Run& t) {
    FanOutStage stage(pinned);
    const auto& peer = stage.connect();
    const int watched = stage.fanOut.watchedFd();
    const int own = stage.fanOut.find(peer.socket)->fd();
    stage.fanOut.close();
    t.expect(fcntl(watched, F_GETFD) == -1 && fcntl(own, F_GETFD) == -1, "they are closed");
    t.expect(stage.fanOut.find(peer.socket) == nullptr, "the socket is gone");
    stage.fanOut.drain();
    stage.fanOut.sweep(0);
  });

  run.it("refuses an order that makes no sense, and touches nothing else", [](Run& t) {
    const ChunkMemory memory(sizes);
    FanOutStage stage(plainly);
    auto& peer = stage.connect();
    const std::int32_t socket = peer.socket;
    const std::vector<Order> bad{
        {-1, 0, 1},          {socket + 1, 0, 1},  {INT32_MAX, 0, 1},   {INT32_MIN, 0, 1},
        {socket, -1, 1},     {socket, 3, 1},      {socket, 0, 0},      {socket, 0, -1},
        {socket, 0, 4},      {socket, 2, 2},      {socket, INT32_MAX, 1}, {socket, INT32_MIN, 1},
        {socket, 0, INT32_MAX}, {socket, 1, INT32_MAX}, {socket, 0, INT32_MIN}};
    for (const Outcome& outcome : stage.deliver(memory, bad)) {
      t.expect(isOutcome(outcome, Status::failed, 0, EINVAL), "it is refused");
    }
    t.expect(kernel.plain == 0 && peer.word == 0, "the kernel was not asked");
    t.expect(stage.released() == all, "the pool is full");
    const auto outcomes = stage.deliver(memory, {{socket, 3, 1}, {socket, 0, 3}, {-1, 0, 1}});
    t.expect(isOutcome(outcomes[1], Status::sent, 3, 0), "its neighbours are served");
    t.expect(receive(peer.receiver(), 2200) == memory.wire(), "and get all");
    t.expect(stage.released() == all, "the pool is full");
  });

  run.it("sends no more chunks at once than the kernel takes pieces", [](Run& t) {
    const std::int32_t most = FanOut::maxChunksPerSend;
    const ChunkMemory memory(std::vector<std::uint32_t>(FanOut::maxChunksPerSend + 10, 2));
    FanOutStage stage(plainly);
    auto& peer = stage.connect();
    const auto outcomes =
        stage.deliver(memory, {{peer.socket, 0, most + 11}, {peer.socket, 5, most + 5}});
    t.expect(isOutcome(outcomes[0], Status::failed, 0, EINVAL), "outside of the window");
    t.expect(isOutcome(outcomes[1], Status::sent, most, 0), "and says how many");
    const auto expected = memory.wire(Framing::tcp, 5, FanOut::maxChunksPerSend);
    t.expect(receive(peer.receiver(), expected.size()) == expected, "they arrive");
    t.expect(hasNothing(peer.receiver()), "and nothing else");
    t.expect(stage.released().size() == FanOut::maxChunksPerSend + 10, "the pool is full");
  });

  run.it("serves the others while one is broken, reserved or full", [](Run& t) {
    const ChunkMemory memory(sizes);
    FanOutStage stage(plainly);
    std::vector<Order> orders;
    for (int index = 0; index < 4; ++index) orders.push_back({stage.connect().socket, 0, 3});
    stage.peers[1].word = 2;
    kernel.answers = {{.error = EPIPE}, {.error = 0, .takes = 1000}};
    const auto outcomes = stage.deliver(memory, orders);
    t.expect(isOutcome(outcomes[0], Status::failed, 0, EPIPE), "broken");
    t.expect(isOutcome(outcomes[1], Status::reserved, 0, 0), "reserved");
    t.expect(isOutcome(outcomes[2], Status::cut, 2, 0), "full, right at a border");
    t.expect(isOutcome(outcomes[3], Status::sent, 3, 0), "well");
    t.expect(stage.peers[0].word == 0 && stage.peers[1].word == 2, "the first two are not held");
    t.expect(stage.peers[2].word == -1 && stage.peers[3].word == 0, "only the cut one is");
    t.expect(receive(stage.peers[3].receiver(), 2200) == memory.wire(), "it gets all");
    t.expect(stage.released() == all, "the pool is full");
  });
}

void testFailures(Run& run) {
  run.it("keeps what is in flight on a socket whose next send fails", [](Run& t) {
    const ChunkMemory memory(sizes);
    FanOutStage stage(pinned);
    kernel.scriptsCompletions = true;
    const auto& peer = stage.connect();
    t.expect(isOutcome(stage.deliver(memory, {{peer.socket, 0, 2}})[0], Status::sent, 2, 0), "sent");
    t.expect(stage.released() == Handles{2}, "two are in flight");
    kernel.answers = {{.error = ECONNRESET}};
    const auto outcomes = stage.deliver(memory, {{peer.socket, 1, 2}});
    t.expect(isOutcome(outcomes[0], Status::failed, 0, ECONNRESET), "the next send fails");
    t.expect(stage.released() == Handles{2}, "what it was to send is free, but for the one");
    stage.fanOut.remove(peer.socket, 0);
    t.expect(stage.fanOut.lingering() == 1 && stage.released().empty(), "as long as it lingers");
    kernel.completions = {{0, 0, false}};
    stage.fanOut.sweep(0);
    t.expect(stage.fanOut.lingering() == 0 && stage.released() == Handles{0, 1}, "then all is");
  });

  run.it("tells the error of a small message that the kernel refuses", [](Run& t) {
    FanOutStage stage(plainly);
    const auto& peer = stage.connect();
    const std::vector<std::byte> message(34, std::byte{7});
    kernel.answers = {{.error = EINTR}, {.error = EAGAIN}, {.error = EPIPE}, {.takes = 5}};
    for (const ssize_t result : {-EAGAIN, -EPIPE, 5}) {
      t.expect(stage.fanOut.write(peer.socket, message) == result, "as it is");
    }
    t.expect(receive(peer.receiver(), 5).size() == 5 && hasNothing(peer.receiver()), "five bytes");
    t.expect(stage.fanOut.write(peer.socket, message) == 34, "the socket is as good as before");
  });
}

void testSockets(Run& run) {
  run.it("takes in open sockets only", [](Run& t) {
    FanOut fanOut(pinned);
    std::int32_t word = 0;
    const std::size_t before = openDescriptors();
    t.expect(fanOut.add(-1, Reservation(word), Framing::tcp) == -EBADF, "the error is told");
    t.expect(fanOut.find(0) == nullptr && openDescriptors() == before, "nothing is left of it");
  });

  run.it("sends plainly where a socket knows no zero-copy sends", [](Run& t) {
    t.expect(zerocast::probeZeroCopy() == 0, "TCP knows them");
    const ChunkMemory memory(sizes);
    FanOutStage stage(pinned);
    const auto& tcp = stage.connect();
    int ends[2] = {-1, -1};
    t.expect(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "there is another kind");
    const Socket ours(ends[0]);
    const Socket theirs(ends[1]);
    std::int32_t word = 0;
    const std::int32_t other = stage.fanOut.add(ours.fd(), Reservation(word), Framing::tcp);
    t.expect(other >= 0 && !stage.fanOut.find(other)->isZeroCopy(), "it is taken in as it is");
    t.expect(stage.fanOut.find(tcp.socket)->isZeroCopy(), "the others send without a copy");
    const auto outcomes = stage.deliver(memory, {{other, 0, 3}});
    t.expect(isOutcome(outcomes[0], Status::sent, 3, 0) && kernel.pinned == 0, "plainly");
    t.expect(receive(theirs, 2200) == memory.wire(), "all arrives");
    t.expect(stage.released() == all, "the pool is full");
  });
}

void testSlices(Run& run) {
  run.it("stops when its time is over; a second call serves the rest", [](Run& t) {
    constexpr std::size_t count = 21;
    const ChunkMemory memory(sizes);
    FanOutStage stage(plainly);
    std::vector<Order> orders;
    for (std::size_t peer = 0; peer < count; ++peer) {
      orders.push_back({stage.connect().socket, 0, 3});
    }
    std::vector<Outcome> outcomes(count, untouched);
    std::size_t done = 0;
    int calls = 0;
    while (done < count && calls < 100) {
      const auto rest = std::span<const Order>(orders).subspan(done);
      const auto restOutcomes = std::span(outcomes).subspan(done);
      const std::size_t served = stage.fanOut.deliver(memory.batch(), rest, restOutcomes, 0);
      t.expect(served > 0, "each call serves somebody");
      done += served;
      calls += 1;
      t.expect(kernel.plain == done, "it sends to those only whom it reports");
      t.expect(done == count || isUntouched(outcomes[done]), "the rest is untouched");
      t.expect(isOutcome(outcomes[done - 1], Status::sent, 3, 0), "what is served is told");
      t.expect(stage.released() == all, "the pool is full after each call");
    }
    t.expect(calls > 1 && done == count, "it took some calls");
    for (const auto& peer : stage.peers) {
      t.expect(receive(peer.receiver(), 2200) == memory.wire(), "everybody gets all");
      t.expect(hasNothing(peer.receiver()), "once");
    }
  });

  run.it("writes no more outcomes than there is room for", [](Run& t) {
    const ChunkMemory memory(sizes);
    FanOutStage stage(plainly);
    const auto& peer = stage.connect();
    const std::vector<Order> orders(3, Order{peer.socket, 0, 1});
    std::vector<Outcome> outcomes(2, untouched);
    t.expect(stage.fanOut.deliver(memory.batch(), orders, outcomes, noHurryUs) == 2, "two");
    t.expect(receive(peer.receiver(), 1400).size() == 1400, "are sent");
    t.expect(hasNothing(peer.receiver()), "the third is not");
    t.expect(stage.fanOut.deliver(memory.batch(), {}, {}, noHurryUs) == 0, "nobody is served");
    t.expect(stage.released() == all, "the pool is full");
  });
}

void testReleases(Run& run) {
  run.it("releases the chunks of plain sends once per call", [](Run& t) {
    const ChunkMemory memory(sizes);
    FanOutStage stage(plainly);
    const auto& one = stage.connect();
    const auto& other = stage.connect();
    t.expect(!stage.fanOut.hasReleased(), "nothing is released yet");
    for (int tick = 0; tick < 3; ++tick) {
      const auto outcomes = stage.deliver(memory, {{one.socket, 0, 3}, {other.socket, 1, 1}});
      t.expect(outcomes.size() == 2, "both are served");
      t.expect(stage.released() == all, "each chunk once, also those that one of them did not get");
      t.expect(!stage.fanOut.hasReleased(), "not again");
    }
  });

  run.it("keeps the chunks of zero-copy sends until the last peer has them", [](Run& t) {
    const ChunkMemory memory(std::vector<std::uint32_t>(16, 16 * 1024));
    FanOutStage stage(pinned);
    auto& reads = stage.connect();
    auto& stalls = stage.connect();
    t.expect(stage.sendAll(memory, reads), "the kernel takes one batch at least");
    const std::size_t batchBytes = memory.wire().size();
    t.expect(receive(reads.receiver(), batchBytes) == memory.wire(), "it arrives");
    t.expect(stage.awaitCompleted(reads), "it is completed");
    t.expect(stage.released().size() == 16, "and released");
    static_cast<void>(stage.fill(memory, stalls));
    t.expect(stalls.word == -1, "the peer takes no more");
    static_cast<void>(stage.sendAll(memory, reads));
    t.expect(receive(reads.receiver(), batchBytes) == memory.wire(), "the other one reads");
    t.expect(stage.awaitCompleted(reads) && stage.fanOut.find(stalls.socket)->outstanding() > 0,
             "only the stalled peer is waited for");
    const Handles early = stage.released();
    t.expect(early.size() < 16, "its chunks stay");
    t.expect(stage.readUntilCompleted(stalls), "in the end it reads");
    t.expect(stage.released().size() + early.size() == 16, "then all are released");
    t.expect(!stage.fanOut.hasReleased(), "each once");
  });

  run.it("reads completions whenever it delivers, so that no event has to tell", [](Run& t) {
    const ChunkMemory memory(std::vector<std::uint32_t>(16, 16 * 1024));
    FanOutStage stage(pinned);
    const auto& peer = stage.connect();
    static_cast<void>(stage.fill(memory, peer));
    const std::uint32_t before = stage.fanOut.find(peer.socket)->outstanding();
    t.expect(before > 0, "something is in flight");
    receiveArrived(peer.receiver());
    t.expect(awaitNews(stage.fanOut.watchedFd()), "some of it is completed");
    t.expect(stage.deliver(memory, {}).empty(), "nobody is due");
    t.expect(stage.fanOut.find(peer.socket)->outstanding() < before, "it was read");
    t.expect(stage.readUntilCompleted(peer), "the rest follows");
    t.expect(stage.released().size() == 16, "the pool is full");
  });

  run.it("reads the completions of more sockets than one look brings", [](Run& t) {
    constexpr std::size_t count = SocketWatcher::maxNews + 10;
    const ChunkMemory memory(sizes);
    FanOutStage stage(pinned);
    std::vector<Order> orders;
    for (std::size_t peer = 0; peer < count; ++peer) {
      orders.push_back({stage.connect().socket, 0, 3});
    }
    t.expect(stage.deliver(memory, orders).size() == count, "all are served");
    t.expect(kernel.pinned == count && kernel.plain == 0, "by zero-copy sends");
    for (const auto& peer : stage.peers) {
      t.expect(receive(peer.receiver(), 2200) == memory.wire(), "everybody gets all");
      t.expect(stage.awaitCompleted(peer), "and it is completed");
    }
    t.expect(stage.released() == all && !stage.fanOut.hasReleased(), "the pool is full");
    t.expect(!awaitNews(stage.fanOut.watchedFd(), POLLIN, 0), "the event loop can sleep");
  });

  run.it("lets go of everything when it is abandoned", [](Run& t) {
    const ChunkMemory memory(sizes);
    FanOutStage stage(pinned);
    kernel.scriptsCompletions = true;
    const auto& stays = stage.connect();
    const auto& closed = stage.connect();
    t.expect(stage.sendAll(memory, stays) && stage.sendAll(memory, closed), "all is in flight");
    stage.fanOut.remove(closed.socket, 0);
    t.expect(stage.fanOut.lingering() == 1 && stage.released().empty(), "and stays there");
    stage.fanOut.abandon();
    t.expect(stage.fanOut.lingering() == 0, "nothing lingers");
    t.expect(stage.released() == all && !stage.fanOut.hasReleased(), "the pool is full");
    kernel.completions = {{0, 0, false}};
    stage.fanOut.remove(stays.socket, 0);
    t.expect(kernel.completions.empty() && stage.fanOut.lingering() == 0, "late completions");
    t.expect(stage.released().empty(), "release nothing");
  });
}

}  // namespace

int main() {
  Run run;
  testOrders(run);
  testFailures(run);
  testSockets(run);
  testSlices(run);
  testReleases(run);
  return run.finish();
}
