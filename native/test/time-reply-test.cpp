#include "time-reply.hpp"

#include "player-messages.hpp"
#include "tap.hpp"

using namespace zerocast;
using namespace zerocast::test;

namespace {

Bytes replyTo(Bytes request, const TimeStamps& stamps) {
  static_cast<void>(turnIntoReply(std::span(request).first<timeMessageBytes>(), stamps));
  return request;
}

// As signed seconds and microseconds.
bool isTime(const Bytes& message, std::size_t at, std::int32_t seconds, std::uint32_t us) {
  return readU32(message, at) == static_cast<std::uint32_t>(seconds) &&
         readU32(message, at + 4) == us;
}

void testReplies(Run& run) {
  run.it("has the id of the request, both stamps and the difference", [](Run& t) {
    const Bytes reply = replyTo(timeRequest(0x1234), {7'750'001, 8'000'002});
    t.expect(readU16(reply, 0) == timeType && readU32(reply, 22) == 8, "it is a Time message");
    t.expect(readU16(reply, 2) == 0x1234 && readU16(reply, 4) == 0x1234, "id and refersTo");
    t.expect(isTime(reply, 6, 8, 2), "sent");
    t.expect(isTime(reply, 14, 7, 750'001), "received");
    t.expect(isTime(reply, 26, 2, 500'001), "latency");
  });

  run.it("has microseconds from 0 to 999999, also below zero", [](Run& t) {
    t.expect(isTime(replyTo(timeRequest(1), {4'950'000, 0}), 26, -1, 700'000), "-0.3 s");
    t.expect(isTime(replyTo(timeRequest(1), {3'250'000, 0}), 26, -2, 0), "-2 s");
    t.expect(isTime(replyTo(timeRequest(1), {5'250'000, 0}), 26, 0, 0), "none");
  });

  run.it("takes any clock of a player, and wraps seconds beyond 32 bits", [](Run& t) {
    Bytes request = timeRequest(1);
    writeU32(request, 6, 0x80000000);
    writeU32(request, 10, 0xffffffff);
    // It was asked at -2^31 s and -1 us.
    const Bytes reply = replyTo(request, {1'000'000, 0});
    t.expect(isTime(reply, 26, INT32_MIN + 1, 1), "the difference wraps");
  });
}

}  // namespace

int main() {
  Run run;
  testReplies(run);
  return run.finish();
}
