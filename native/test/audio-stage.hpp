#pragma once

#include <fcntl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "audio-socket.hpp"
#include "chunk-memory.hpp"
#include "scripted-kernel.hpp"
#include "send-rules.hpp"
#include "socket-pair.hpp"

namespace zerocast::test {

// One audio socket with its peer. The tick does not hold chunks here: only the kernel does.
struct Stage {
  std::optional<Connection> connection = connectIpv4();
  SystemCalls calls = scriptedCalls();
  ChunkHolds holds;
  std::vector<iovec> pieces;
  SendContext context{holds, calls, pieces};
  std::int32_t word = 0;
  AudioSocket socket;

  explicit Stage(ZeroCopyRules rules, Framing framing = Framing::tcp)
      : socket(Descriptor(fcntl(connection->sender.fd(), F_DUPFD_CLOEXEC, 0)), Reservation(word),
               framing, rules) {}

  Outcome send(const ChunkMemory& memory) { return socket.send(memory.batch(), context); }
  Outcome send(const Batch& batch) { return socket.send(batch, context); }
  [[nodiscard]] std::vector<std::byte> receive(std::size_t bytes) const {
    return test::receive(connection->receiver, bytes);
  }
  void drain() { socket.drain(holds, calls); }
  void complete(std::uint32_t first, std::uint32_t last) {
    kernel.completions.push_back({first, last, false});
    drain();
  }
  // The chunks that nobody needs any more, sorted.
  Handles released() {
    Handles handles(1024);
    handles.resize(holds.takeReleased(handles));
    std::sort(handles.begin(), handles.end());
    return handles;
  }
  // Sends, lets the peer read, and waits for the completion if there is one to come.
  bool sendAndComplete(const ChunkMemory& memory) {
    if (!is(send(memory), Status::sent, memory.batch().chunks.size(), 0)) return false;
    if (receive(memory.wire().size()) != memory.wire()) return false;
    while (socket.outstanding() > 0 && awaitNews(socket.fd(), 0)) drain();
    return socket.outstanding() == 0;
  }
  static bool is(const Outcome& outcome, Status status, std::size_t chunks, std::size_t detail) {
    return outcome.status == status && outcome.chunks == static_cast<std::int32_t>(chunks) &&
           outcome.detail == static_cast<std::int32_t>(detail);
  }
};

}  // namespace zerocast::test
