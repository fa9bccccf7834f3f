// Sockets that come and go, orders of any kind, and a kernel that takes and refuses what it likes.

#include "fan-out.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

#include "chunk-store.hpp"
#include "fuzz-kernel.hpp"

using namespace zerocast;
using namespace zerocast::fuzz;

namespace {

constexpr std::size_t maxPeers = 6;
constexpr std::int64_t noHurryUs = 60'000'000;

struct Peer {
  Descriptor node{socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  std::int32_t word = 0;
  Framing framing = Framing::tcp;
  std::int32_t name = -1;
  // The number that the fan-out has for the same socket.
  int fd = -1;
  Expectation expected;
  bool isRemoved = false;

  FuzzKernel::Socket& inKernel() const { return kernel.sockets[fd]; }

  // Makes an edge for the watcher: nobody listens there, and the refusal is an event.
  void nudge() const {
    sockaddr_in closed{};
    closed.sin_family = AF_INET;
    closed.sin_port = htons(1);
    closed.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // The first may only fetch the refusal of the time before.
    for (int turn = 0; turn < 2; ++turn) {
      static_cast<void>(
          connect(node.fd(), reinterpret_cast<const sockaddr*>(&closed), sizeof closed));
    }
  }
};

struct Stage {
  Input& input;
  FanOut fanOut;
  ChunkStore store;
  // Words of reservations must stay where they are.
  std::deque<Peer> peers;
  std::int64_t nowUs = 0;

  explicit Stage(Input& from)
      : input(from),
        fanOut(ZeroCopyRules{from.below(4) != 0, std::size_t{from.byte()} * 8,
                             from.flip() ? ZeroCopyMode::always : ZeroCopyMode::adaptive},
               fuzzedCalls(from)) {}

  Peer* somePeer() {
    return peers.empty() ? nullptr : &peers[input.byte() % peers.size()];
  }

  void add() {
    if (living() == maxPeers) return;
    Peer& peer = peers.emplace_back();
    peer.framing = input.flip() ? Framing::webSocket : Framing::tcp;
    peer.name = fanOut.add(peer.node.fd(), Reservation(peer.word), peer.framing);
    check(peer.name >= 0, "an open socket is taken in");
    peer.fd = fanOut.find(peer.name)->fd();
    check(peer.inKernel().inFlight.empty(), "no socket is closed with chunks in flight");
    peer.inKernel() = {};
  }

  [[nodiscard]] std::size_t living() const {
    return static_cast<std::size_t>(std::count_if(
        peers.begin(), peers.end(), [](const Peer& peer) { return !peer.isRemoved; }));
  }

  void deliver() {
    const std::uint32_t first = input.below(ChunkStore::count);
    const std::uint32_t length = input.below(ChunkStore::count - first + 1);
    const Batch window = store.window(first, length, input);
    std::vector<Order> orders(input.below(12));
    for (Order& order : orders) order = someOrder(length);
    std::vector<Outcome> outcomes(orders.size());
    const std::int64_t sliceUs = input.below(8) == 0 ? 0 : noHurryUs;
    outcomes.resize(fanOut.deliver(window, orders, outcomes, sliceUs));
    for (std::size_t at = 0; at < outcomes.size(); ++at) note(orders[at], outcomes[at], window);
  }

  Order someOrder(std::uint32_t length) {
    const Peer* const peer = somePeer();
    const bool isWild = input.below(8) == 0;
    if (peer == nullptr || isWild) {
      return {static_cast<std::int32_t>(input.someNumber()),
              static_cast<std::int32_t>(input.someNumber()),
              static_cast<std::int32_t>(input.someNumber())};
    }
    return {peer->name, static_cast<std::int32_t>(input.below(length + 1)),
            static_cast<std::int32_t>(input.below(length + 1))};
  }

  void note(const Order& order, const Outcome& outcome, const Batch& window) {
    const auto peer = std::find_if(peers.begin(), peers.end(), [&order](const Peer& each) {
      return !each.isRemoved && each.name == order.socket;
    });
    const bool isInside =
        order.first >= 0 && order.count > 0 &&
        std::int64_t{order.first} + order.count <= static_cast<std::int64_t>(window.chunks.size());
    if (peer == peers.end() || !isInside) {
      check(outcome.status == Status::failed && outcome.detail == EINVAL, "nonsense is refused");
      return;
    }
    const auto chunks = window.chunks.subspan(static_cast<std::size_t>(order.first),
                                              static_cast<std::size_t>(order.count));
    peer->expected.add(outcome, chunks, peer->framing);
  }

  void writeMessage(Peer& peer) {
    const std::vector<std::byte> message(1 + input.byte(), std::byte{0x77});
    if (!Reservation(peer.word).tryRaise()) return;
    const ssize_t taken = fanOut.write(peer.name, message);
    if (taken > 0) {
      peer.expected.wire.insert(peer.expected.wire.end(), message.begin(), message.begin() + taken);
    }
    Reservation(peer.word).lower();
  }

  static void writeRest(Peer& peer) {
    if (peer.word != -1) return;
    Expectation::append(peer.inKernel().wire, peer.expected.rest);
    Expectation::append(peer.expected.wire, peer.expected.rest);
    peer.expected.rest.clear();
    Reservation(peer.word).release();
  }

  void remove(Peer& peer) {
    fanOut.remove(peer.name, nowUs);
    check(fanOut.find(peer.name) == nullptr, "what is removed is not found any more");
    peer.isRemoved = true;
  }

  void takeReleased(std::size_t most) {
    std::vector<std::uint32_t> handles(most);
    handles.resize(fanOut.takeReleased(handles));
    for (const std::uint32_t handle : handles) store.giveBack(handle);
  }

  void act(Peer& peer) {
    switch (input.below(5)) {
      case 0:
        return writeMessage(peer);
      case 1:
        return writeRest(peer);
      case 2:
        return kernel.completeSome(peer.inKernel());
      case 3:
        return peer.nudge();
      default:
        if (input.below(3) == 0) remove(peer);
    }
  }

  void step() {
    const std::uint32_t action = input.below(12);
    if (action < 4) return deliver();
    if (action == 4) return add();
    if (action == 5) return fanOut.drain();
    if (action == 6) return takeReleased(input.below(ChunkStore::count));
    if (action == 7) {
      nowUs += std::int64_t{input.byte()} * 10'000;
      return fanOut.sweep(nowUs);
    }
    Peer* const peer = somePeer();
    if (peer == nullptr) return;
    // What has left has nothing but completions to come; its number may be another's by now.
    if (!peer->isRemoved) act(*peer);
  }

  void checkWires() const {
    for (const Peer& peer : peers) {
      if (peer.isRemoved) continue;
      check(peer.inKernel().wire == peer.expected.wire, "every peer gets all bytes in order");
    }
  }

  void finish() {
    for (auto& [fd, socket] : kernel.sockets) kernel.completeAll(socket);
    for (Peer& peer : peers) {
      if (!peer.isRemoved) remove(peer);
    }
    fanOut.sweep(nowUs + FanOut::lingerUs);
    check(fanOut.lingering() == 0, "nobody lingers when all is completed");
    takeReleased(ChunkStore::count);
    check(store.isEmpty() && !fanOut.hasReleased(), "the pool is full");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Stage stage(input);
  stage.add();
  while (input.hasMore()) {
    stage.step();
    stage.checkWires();
  }
  stage.finish();
  return 0;
}
