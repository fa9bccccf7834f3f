#include "audio-socket.hpp"

#include <cerrno>
#include <cstdint>
#include <vector>

#include "audio-stage.hpp"
#include "tap.hpp"

using zerocast::CompletionLedger;
using zerocast::Framing;
using zerocast::Status;
using zerocast::ZeroCopyPolicy;
using zerocast::ZeroCopyRules;
using namespace zerocast::test;

namespace {

const std::vector<std::uint32_t> small{7, 1, 12};

void testCompletions(Run& run) {
  run.it("keeps the chunks of a send until the kernel has completed it", [](Run& t) {
    const ChunkMemory memory({3, 3, 3, 3, 3, 3});
    Stage stage(pinned);
    kernel.scriptsCompletions = true;
    for (std::size_t first = 0; first < 5; ++first) {
      t.expect(stage.send(memory.batch(first, 2)).status == Status::sent, "it is sent");
    }
    stage.drain();
    t.expect(stage.released().empty() && stage.socket.outstanding() == 5, "all is in flight");
    stage.complete(4, 4);
    t.expect(stage.released() == Handles{5}, "out of order: the other send keeps number 4");
    stage.complete(1, 2);
    t.expect(stage.released() == Handles{2}, "merged: only what no other send needs");
    stage.complete(1, 2);
    stage.complete(7, 9);
    t.expect(stage.released().empty() && stage.socket.outstanding() == 2, "nothing twice");
    stage.complete(UINT32_MAX, 4);
    t.expect(stage.released() == Handles{0, 1, 3, 4}, "the rest, each once");
    t.expect(stage.socket.outstanding() == 0, "nothing is in flight");
  });

  run.it("sends small batches plainly", [](Run& t) {
    const ChunkMemory memory({10, 9, 1});
    ZeroCopyRules rules = pinned;
    rules.minBytes = 20;
    Stage stage(rules);
    kernel.scriptsCompletions = true;
    t.expect(stage.send(memory.batch(0, 2)).status == Status::sent && kernel.pinned == 0, "19");
    t.expect(stage.send(memory).status == Status::sent && kernel.pinned == 1, "20 bytes pay");
    t.expect(stage.socket.counters().zeroCopyBytes == 20, "they are counted");
    Stage framed(rules, Framing::webSocket);
    t.expect(framed.send(memory.batch(1, 1)).status == Status::sent && kernel.pinned == 0, "19");
    t.expect(framed.send(memory.batch(0, 2)).status == Status::sent && kernel.pinned == 1,
             "the frame headers count");
  });

  run.it("sends plainly while too much is in flight", [](Run& t) {
    const ChunkMemory memory(small);
    Stage stage(pinned);
    kernel.scriptsCompletions = true;
    for (std::uint32_t send = 0; send < CompletionLedger::maxOutstanding; ++send) {
      t.expect(stage.send(memory).status == Status::sent, "it is sent");
    }
    t.expect(kernel.pinned == CompletionLedger::maxOutstanding && kernel.plain == 0, "pinned");
    t.expect(stage.send(memory).status == Status::sent && kernel.plain == 1, "one more is not");
    stage.complete(0, 0);
    t.expect(stage.send(memory).status == Status::sent && kernel.plain == 1, "there is room again");
  });
}

void testNoBuffers(Run& run) {
  run.it("sends plainly at once what the kernel has no room to pin, and backs off", [](Run& t) {
    const ChunkMemory memory(small);
    Stage stage(adaptive);
    kernel.answers = {{.error = ENOBUFS}};
    t.expect(stage.is(stage.send(memory), Status::sent, 3, 0), "it is sent");
    t.expect(stage.receive(20) == memory.wire(), "and arrives");
    t.expect(kernel.pinned == 1 && kernel.plain == 1, "within the same call");
    const auto& counters = stage.socket.counters();
    t.expect(counters.noBuffers == 1 && counters.zeroCopyAttempts == 1, "it is counted");
    t.expect(counters.zeroCopySends == 0 && counters.regularSends == 1, "as a plain send");
    t.expect(stage.socket.outstanding() == 0 && stage.released().empty(), "nothing is held");
    for (std::uint32_t send = 0; send < ZeroCopyPolicy::firstBackOffSends; ++send) {
      t.expect(stage.send(memory).status == Status::sent, "the next are sent");
    }
    t.expect(kernel.pinned == 1, "plainly");
    t.expect(stage.send(memory).status == Status::sent && kernel.pinned == 2, "then it tries");
  });

  run.it("says where it was cut when the kernel has no room at all", [](Run& t) {
    const ChunkMemory memory(small);
    Stage stage(pinned);
    kernel.answers = {{.error = ENOBUFS}, {.error = EAGAIN}};
    t.expect(stage.is(stage.send(memory), Status::cut, 0, 0) && stage.word == -1, "at the start");
    Stage other(pinned);
    kernel.answers = {{.error = ENOBUFS}, {.error = 0, .takes = 9}};
    t.expect(other.is(other.send(memory), Status::cut, 2, 1), "at the byte");
    t.expect(other.socket.outstanding() == 0, "nothing is in flight");
  });
}

void testPolicies(Run& run) {
  run.it("stops where the kernel copies after all, and probes later", [](Run& t) {
    const ChunkMemory memory({2048, 2048});
    Stage stage(adaptive);
    const std::size_t proof = ZeroCopyPolicy::copiedProof;
    for (std::size_t send = 0; send < proof; ++send) {
      t.expect(stage.sendAndComplete(memory), "a send");
    }
    t.expect(kernel.pinned == proof && kernel.plain == 0, "it tries");
    t.expect(stage.socket.counters().zeroCopyCopied == proof, "it is told of the copies");
    for (std::uint32_t send = 1; send < ZeroCopyPolicy::probeEvery; ++send) {
      t.expect(stage.sendAndComplete(memory), "a plain send");
    }
    t.expect(kernel.pinned == proof, "it has stopped");
    t.expect(stage.sendAndComplete(memory) && kernel.pinned == proof + 1, "it probes");
    t.expect(stage.sendAndComplete(memory) && kernel.pinned == proof + 1, "once");
  });

  run.it("goes on when it is told to", [](Run& t) {
    const ChunkMemory memory({2048, 2048});
    Stage stage(pinned);
    for (int send = 0; send < 20; ++send) t.expect(stage.sendAndComplete(memory), "a send");
    t.expect(kernel.pinned == 20 && kernel.plain == 0, "always by zero-copy sends");
    t.expect(stage.released() == Handles{0, 1}, "the pool is full");
  });
}

}  // namespace

int main() {
  Run run;
  testCompletions(run);
  testNoBuffers(run);
  testPolicies(run);
  return run.finish();
}
