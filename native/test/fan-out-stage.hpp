#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "chunk-memory.hpp"
#include "fan-out.hpp"
#include "scripted-kernel.hpp"
#include "send-rules.hpp"
#include "socket-pair.hpp"

namespace zerocast::test {

inline constexpr std::int64_t noHurryUs = 60'000'000;

// A fan-out with peers, as Node has them: each with a number of its own for the same socket.
struct FanOutStage {
  struct Peer {
    Connection connection;
    std::int32_t word = 0;
    std::int32_t socket = -1;

    // As Node does, before or after it removes the socket.
    void closeByNode() { closeSocket(connection.sender); }
    [[nodiscard]] const Socket& receiver() const { return connection.receiver; }
  };

  FanOut fanOut;
  // Words of reservations must stay where they are.
  std::deque<Peer> peers;

  explicit FanOutStage(ZeroCopyRules rules) : fanOut(rules, scriptedCalls()) {}

  Peer& connect(Framing framing = Framing::tcp) {
    Peer& peer = peers.emplace_back(std::move(*connectIpv4()));
    peer.socket = fanOut.add(peer.connection.sender.fd(), Reservation(peer.word), framing);
    return peer;
  }

  [[nodiscard]] std::vector<Outcome> deliver(const ChunkMemory& memory,
                                             const std::vector<Order>& orders) {
    std::vector<Outcome> outcomes(orders.size());
    outcomes.resize(fanOut.deliver(memory.batch(), orders, outcomes, noHurryUs));
    return outcomes;
  }

  // Gives a peer all chunks; whether the kernel has taken all of them.
  bool sendAll(const ChunkMemory& memory, const Peer& peer) {
    const auto count = static_cast<std::int32_t>(memory.batch().chunks.size());
    return deliver(memory, {{peer.socket, 0, count}}).front().status == Status::sent;
  }

  // Sends until neither the kernel nor the peer takes more; how often all was taken.
  std::size_t fill(const ChunkMemory& memory, const Peer& peer) {
    std::size_t times = 0;
    while (sendAll(memory, peer)) ++times;
    return times;
  }

  // Reads completions until no closed socket lingers any more, or none comes for long.
  bool awaitLingering() {
    while (fanOut.lingering() > 0 && awaitNews(fanOut.watchedFd())) fanOut.drain();
    return fanOut.lingering() == 0;
  }

  bool awaitCompleted(const Peer& peer) {
    const AudioSocket* const socket = fanOut.find(peer.socket);
    while (socket->outstanding() > 0 && awaitNews(fanOut.watchedFd())) fanOut.drain();
    return socket->outstanding() == 0;
  }

  // Lets a peer read whatever comes, until nothing to it is in flight any more.
  bool readUntilCompleted(const Peer& peer) {
    const AudioSocket* const socket = fanOut.find(peer.socket);
    while (socket->outstanding() > 0) {
      pollfd watched[] = {{peer.receiver().fd(), POLLIN, 0}, {fanOut.watchedFd(), POLLIN, 0}};
      if (poll(watched, 2, patienceMs) <= 0) return false;
      if (watched[0].revents != 0) receiveArrived(peer.receiver());
      fanOut.drain();
    }
    return true;
  }

  // The chunks that nobody needs any more, sorted.
  Handles released() {
    Handles handles(2048);
    handles.resize(fanOut.takeReleased(handles));
    std::sort(handles.begin(), handles.end());
    return handles;
  }
};

inline bool isOutcome(const Outcome& outcome, Status status, std::int32_t chunks,
                      std::int32_t detail) {
  return outcome.status == status && outcome.chunks == chunks && outcome.detail == detail;
}

}  // namespace zerocast::test
