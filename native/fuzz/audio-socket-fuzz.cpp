// One socket, and a kernel that takes and refuses what it likes.

#include "audio-socket.hpp"

#include <algorithm>

#include "chunk-store.hpp"
#include "fuzz-kernel.hpp"

using namespace zerocast;
using namespace zerocast::fuzz;

namespace {

// No descriptor: nothing but the calls of the kernel above is made with it.
constexpr int nowhere = -1;

struct Stage {
  Input& input;
  SystemCalls calls;
  ChunkHolds holds;
  std::vector<iovec> pieces;
  SendContext context{holds, calls, pieces};
  std::int32_t word = 0;
  Framing framing;
  AudioSocket socket;
  ChunkStore store;
  Expectation expected;

  explicit Stage(Input& from)
      : input(from),
        calls(fuzzedCalls(from)),
        framing(from.flip() ? Framing::webSocket : Framing::tcp),
        socket(Descriptor(nowhere), Reservation(word), framing,
               ZeroCopyRules{from.below(4) != 0, std::size_t{from.byte()} * 8,
                             from.flip() ? ZeroCopyMode::always : ZeroCopyMode::adaptive}) {}

  FuzzKernel::Socket& inKernel() { return kernel.sockets[nowhere]; }

  void send() {
    const std::uint32_t first = input.below(ChunkStore::count);
    const std::uint32_t length = 1 + input.below(ChunkStore::count - first);
    const Batch batch = store.window(first, length, input);
    for (const std::uint32_t handle : batch.handles) holds.hold(handle);
    const bool wasFree = word == 0;
    const Outcome outcome = socket.send(batch, context);
    check((outcome.status == Status::reserved) == !wasFree, "only a free socket is written to");
    expected.add(outcome, batch.chunks, framing);
    if (wasFree) check((word == -1) == (outcome.status == Status::cut), "a cut keeps it reserved");
    for (const std::uint32_t handle : batch.handles) holds.release(handle);
  }

  // As Node does with what it was left.
  void writeRest() {
    if (word != -1) return;
    Expectation::append(inKernel().wire, expected.rest);
    Expectation::append(expected.wire, expected.rest);
    expected.rest.clear();
    Reservation(word).release();
  }

  void writeMessage() {
    if (!Reservation(word).tryRaise()) return;
    const std::vector<std::byte> message(input.byte(), std::byte{0x77});
    const ssize_t taken = socket.write(message, calls);
    if (taken > 0) {
      expected.wire.insert(expected.wire.end(), message.begin(), message.begin() + taken);
    }
    Reservation(word).lower();
  }

  void takeReleased(std::size_t most) {
    std::vector<std::uint32_t> handles(most);
    handles.resize(holds.takeReleased(handles));
    for (const std::uint32_t handle : handles) store.giveBack(handle);
  }

  void finish() {
    kernel.completeAll(inKernel());
    socket.drain(holds, calls);
    check(socket.outstanding() == 0, "everything was completed");
    takeReleased(ChunkStore::count);
    check(store.isEmpty() && !holds.hasReleased(), "the pool is full");
    const SendCounters& counted = socket.counters();
    check(counted.zeroCopyBytes == inKernel().pinnedBytes, "bytes are counted");
    check(counted.zeroCopySends == inKernel().pinnedSends, "sends are counted");
    check(counted.zeroCopyCopied <= counted.zeroCopySends, "no more are copied than sent");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Stage stage(input);
  while (input.hasMore()) {
    switch (input.below(8)) {
      case 0:
        stage.writeMessage();
        break;
      case 1:
        kernel.completeSome(stage.inKernel());
        break;
      case 2:
        stage.socket.drain(stage.holds, stage.calls);
        break;
      case 3:
        stage.takeReleased(input.below(ChunkStore::count));
        break;
      case 4:
        stage.writeRest();
        break;
      default:
        stage.send();
    }
    check(stage.inKernel().wire == stage.expected.wire, "the peer gets all bytes in order");
  }
  stage.finish();
  return 0;
}
