#include "audio-socket.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <vector>

#include "audio-stage.hpp"
#include "tap.hpp"

using zerocast::Framing;
using zerocast::Outcome;
using zerocast::Status;
using zerocast::ZeroCopyRules;
using namespace zerocast::test;

namespace {

const std::vector<std::uint32_t> small{7, 1, 12};

void testBytes(Run& run) {
  run.it("sends exactly the messages, in order, over TCP", [](Run& t) {
    const ChunkMemory memory({100, 1, 3000});
    Stage stage(plainly);
    t.expect(stage.is(stage.send(memory), Status::sent, 3, 0), "all is sent");
    t.expect(stage.is(stage.send(memory.batch(1, 1)), Status::sent, 1, 0), "a part is sent");
    t.expect(stage.receive(memory.wire().size()) == memory.wire(), "all arrives");
    t.expect(stage.receive(1) == memory.wire(Framing::tcp, 1, 1), "the part arrives");
    t.expect(hasNothing(stage.connection->receiver), "and nothing else");
    t.expect(stage.word == 0, "the socket is free again");
    t.expect(stage.socket.counters().regularSends == 2 && stage.socket.counters().chunks == 4 &&
                 stage.socket.counters().regularBytes == memory.wire().size() + 1,
             "it is counted");
  });

  run.it("sends each message with the frame header before it over WebSocket", [](Run& t) {
    const ChunkMemory memory({100, 1, 3000});
    Stage stage(plainly, Framing::webSocket);
    const auto expected = memory.wire(Framing::webSocket);
    t.expect(stage.is(stage.send(memory), Status::sent, 3, 0), "all is sent");
    t.expect(stage.receive(expected.size()) == expected, "all arrives");
    t.expect(hasNothing(stage.connection->receiver), "and nothing else");
  });
}

// Cuts one batch after every number of bytes and compares where the outcome says that it was cut.
void cutEverywhere(Run& t, ZeroCopyRules rules, Framing framing) {
  const ChunkMemory memory(small);
  Stage stage(rules, framing);
  kernel.scriptsCompletions = true;
  std::size_t cuts = 0;
  std::uint32_t accepted = 0;
  for (std::size_t chunk = 0; chunk < small.size(); ++chunk) {
    const std::size_t chunkBytes = memory.wire(framing, chunk, 1).size();
    for (std::size_t offset = 0; offset < chunkBytes; ++offset, ++cuts) {
      kernel.answers = {cuts == 0 ? SendAnswer{.error = EAGAIN} : SendAnswer{.takes = cuts}};
      t.expect(stage.is(stage.send(memory), Status::cut, chunk, offset), "it points at the byte");
      t.expect(stage.word == -1, "nobody else may write into the message");
      t.expect(stage.is(stage.send(memory), Status::reserved, 0, 0), "not even the next batch");
      stage.word = 0;
      auto begun = memory.wire(framing);
      begun.resize(cuts);
      t.expect(stage.receive(cuts) == begun, "what was taken arrives");
      if (cuts > 0 && rules.enabled) accepted += 1;
      t.expect(stage.socket.outstanding() == accepted, "only what was taken is in flight");
    }
  }
  t.expect(cuts == memory.wire(framing).size(), "the batch was cut everywhere");
  kernel.answers = {SendAnswer{.takes = cuts}};
  t.expect(stage.is(stage.send(memory), Status::sent, small.size(), 0), "the last byte ends it");
  t.expect(stage.word == 0, "the socket is free again");
  const auto& counters = stage.socket.counters();
  t.expect(counters.wouldBlock == 1 && counters.partialSends == cuts - 1, "the cuts are counted");
  t.expect(stage.receive(cuts) == memory.wire(framing), "and arrives");
  t.expect(hasNothing(stage.connection->receiver), "no byte was sent twice");
  t.expect(!stage.holds.hasReleased(), "what is in flight is kept");
  if (!rules.enabled) return;
  stage.complete(0, accepted);
  t.expect(stage.socket.outstanding() == 0, "every part has one number");
  t.expect(stage.released() == Handles{0, 1, 2}, "and lets its chunks go");
}

void testCuts(Run& run) {
  run.it("points at the first byte that the kernel has not taken, wherever that is", [](Run& t) {
    cutEverywhere(t, plainly, Framing::tcp);
    cutEverywhere(t, plainly, Framing::webSocket);
  });
  run.it("does so for zero-copy sends, each of which takes one number", [](Run& t) {
    cutEverywhere(t, pinned, Framing::tcp);
    cutEverywhere(t, pinned, Framing::webSocket);
  });
  run.it("cuts where a full kernel does", [](Run& t) {
    const ChunkMemory memory(std::vector<std::uint32_t>(64, 4096));
    Stage stage(plainly);
    shrinkSendBuffer(stage.connection->sender);
    std::vector<std::byte> expected;
    Outcome outcome = stage.send(memory);
    while (outcome.status == Status::sent) {
      const auto whole = memory.wire();
      expected.insert(expected.end(), whole.begin(), whole.end());
      outcome = stage.send(memory);
    }
    t.expect(outcome.status == Status::cut && stage.word == -1, "it is cut and held");
    const auto size = 4096 * static_cast<std::size_t>(outcome.chunks);
    const auto rest = memory.wire();
    expected.insert(expected.end(), rest.begin(),
                    rest.begin() + static_cast<std::ptrdiff_t>(size) + outcome.detail);
    t.expect(stage.receive(expected.size()) == expected, "what it claims has arrived");
    t.expect(hasNothing(stage.connection->receiver), "and nothing else");
  });
}

void testRefusals(Run& run) {
  run.it("tries again when a signal interrupts", [](Run& t) {
    const ChunkMemory memory(small);
    for (const ZeroCopyRules& rules : {plainly, pinned}) {
      Stage stage(rules);
      kernel.answers = {{.error = EINTR}, {.error = EINTR}};
      t.expect(stage.is(stage.send(memory), Status::sent, 3, 0), "it is sent");
      t.expect(stage.receive(20) == memory.wire(), "once");
      t.expect(hasNothing(stage.connection->receiver), "only once");
    }
  });

  run.it("fails with the number of the error and leaves the socket free", [](Run& t) {
    const ChunkMemory memory(small);
    for (const ZeroCopyRules& rules : {plainly, pinned}) {
      for (const int error : {EPIPE, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM}) {
        Stage stage(rules);
        kernel.answers = {{.error = error}};
        t.expect(stage.is(stage.send(memory), Status::failed, 0, static_cast<std::size_t>(error)),
                 "the error is told");
        t.expect(stage.word == 0, "nobody waits for it");
        t.expect(stage.socket.outstanding() == 0 && !stage.holds.hasReleased(), "nothing is held");
      }
    }
  });

  run.it("counts nothing of a send that fails, and gives it no number", [](Run& t) {
    const ChunkMemory memory(small);
    Stage stage(pinned);
    kernel.scriptsCompletions = true;
    t.expect(stage.is(stage.send(memory.batch(0, 1)), Status::sent, 1, 0), "one is in flight");
    kernel.answers = {{.error = ECONNRESET}};
    t.expect(stage.is(stage.send(memory), Status::failed, 0, ECONNRESET), "the next one fails");
    t.expect(stage.is(stage.send(memory.batch(1, 2)), Status::sent, 2, 0), "one more is sent");
    kernel.answers = {{.error = ENOBUFS}, {.error = EPIPE}};
    t.expect(stage.is(stage.send(memory), Status::failed, 0, EPIPE), "a plain one fails, too");
    t.expect(stage.word == 0, "the socket is free");
    const auto& counters = stage.socket.counters();
    t.expect(counters.zeroCopyAttempts == 4 && counters.noBuffers == 1, "four were tried");
    t.expect(counters.zeroCopySends == 2 && counters.zeroCopyBytes == 20, "two were sends");
    t.expect(counters.regularSends == 0 && counters.regularBytes == 0, "no plain one was");
    t.expect(counters.chunks == 3, "three chunks went out");
    t.expect(counters.partialSends + counters.wouldBlock == 0, "and nothing was cut");
    t.expect(stage.socket.outstanding() == 2 && stage.released().empty(), "two are in flight");
    stage.complete(1, 1);
    t.expect(stage.released() == Handles{1, 2}, "the second has the next number");
    stage.complete(0, 0);
    t.expect(stage.released() == Handles{0} && stage.socket.outstanding() == 0, "nothing is left");
  });

  run.it("survives a peer that is gone, without a signal", [](Run& t) {
    std::signal(SIGPIPE, SIG_DFL);
    const ChunkMemory memory(small);
    for (const ZeroCopyRules& rules : {plainly, pinned}) {
      Stage stage(rules);
      resetConnection(stage.connection->receiver);
      static_cast<void>(awaitNews(stage.socket.fd()));
      t.expect(stage.is(stage.send(memory), Status::failed, 0, ECONNRESET), "it was reset");
      t.expect(stage.is(stage.send(memory), Status::failed, 0, EPIPE), "the pipe is broken");
      t.expect(stage.word == 0, "the socket is free");
    }
  });

  run.it("sends nothing while somebody else writes", [](Run& t) {
    const ChunkMemory memory(small);
    Stage stage(plainly);
    for (const std::int32_t word : {-1, 1, 3}) {
      stage.word = word;
      t.expect(stage.is(stage.send(memory), Status::reserved, 0, 0), "it is refused");
      t.expect(stage.word == word, "the word stays");
    }
    t.expect(kernel.plain + kernel.pinned == 0, "the kernel was not asked");
    t.expect(stage.socket.counters().coordinationFallbacks == 3, "it is counted");
    stage.word = 0;
    t.expect(stage.is(stage.send(memory), Status::sent, 3, 0), "afterwards it is sent");
  });
}

}  // namespace

int main() {
  Run run;
  testBytes(run);
  testCuts(run);
  testRefusals(run);
  return run.finish();
}
