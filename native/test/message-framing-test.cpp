#include "message-framing.hpp"

#include "player-messages.hpp"
#include "tap.hpp"

using namespace zerocast;
using namespace zerocast::test;

namespace {

// What a framing has told, in order: the Time requests, and everything else as it came.
struct Told {
  std::vector<Bytes> requests;
  Bytes others;

  void feed(MessageFraming& framing, std::span<const std::byte> data) {
    while (!data.empty()) {
      const auto part = framing.next(data);
      if (!part) break;
      if (part->isTime) requests.emplace_back(part->bytes.begin(), part->bytes.end());
      else others = std::move(others) + part->bytes;
    }
  }
  bool operator==(const Told&) const = default;
};

Told tellAtOnce(std::span<const std::byte> stream) {
  Told told;
  MessageFraming framing;
  told.feed(framing, stream);
  return told;
}

const Bytes info = messageOf(clientInfoType, 9, 40);
const Bytes empty = messageOf(0, 9, 0);
const Bytes longTime = messageOf(timeType, 9, 9);
const Bytes shortTime = messageOf(timeType, 9, 0);

void testStreams(Run& run) {
  run.it("tells Time requests from everything else", [](Run& t) {
    const Told told = tellAtOnce(timeRequest(1) + info + timeRequest(2) + timeRequest(3) + empty);
    t.expect(told.requests == std::vector<Bytes>{timeRequest(1), timeRequest(2), timeRequest(3)},
             "each request, as it came");
    t.expect(told.others == info + empty, "and all the rest");
  });

  run.it("leaves Time messages of another size to others", [](Run& t) {
    const Told told = tellAtOnce(longTime + timeRequest(1) + shortTime);
    t.expect(told.requests == std::vector<Bytes>{timeRequest(1)}, "one is usual");
    t.expect(told.others == longTime + shortTime, "the others are not");
  });

  run.it("tells the same wherever the stream is cut, once or twice", [](Run& t) {
    const Bytes stream = timeRequest(1) + info + timeRequest(2) + longTime + empty + timeRequest(3);
    const Told whole = tellAtOnce(stream);
    const std::span all(stream);
    for (std::size_t first = 0; first <= all.size(); ++first) {
      for (std::size_t second = first; second <= all.size(); ++second) {
        Told told;
        MessageFraming framing;
        told.feed(framing, all.first(first));
        told.feed(framing, all.subspan(first, second - first));
        told.feed(framing, all.subspan(second));
        if (told != whole) return t.expect(false, "two cuts change nothing");
      }
    }
    Told told;
    MessageFraming framing;
    for (const std::byte& byte : all) told.feed(framing, {&byte, 1});
    t.expect(told == whole, "nor do bytes one by one");
  });

  run.it("keeps what is neither a whole header nor a whole request, and nothing else", [](Run& t) {
    const Bytes request = timeRequest(1);
    for (std::size_t size = 0; size < request.size(); ++size) {
      MessageFraming framing;
      Told told;
      told.feed(framing, std::span(request).first(size));
      t.expect(told == Told{} && framing.kept().size() == size, "a request that is cut is kept");
    }
    for (std::size_t size = headerBytes; size <= info.size(); ++size) {
      MessageFraming framing;
      Told told;
      told.feed(framing, std::span(info).first(size));
      t.expect(told.others.size() == size && framing.kept().empty(), "other messages are not");
    }
  });

  run.it("passes on a body of any announced size, piece by piece", [](Run& t) {
    Bytes huge = messageOf(clientInfoType, 1, 0);
    writeU32(huge, 22, UINT32_MAX);
    MessageFraming framing;
    Told told;
    told.feed(framing, huge + timeRequest(1));
    t.expect(told.requests.empty(), "what looks like a request is a part of the body");
    t.expect(told.others == huge + timeRequest(1) && framing.kept().empty(), "nothing is kept");
  });
}

}  // namespace

int main() {
  Run run;
  testStreams(run);
  return run.finish();
}
