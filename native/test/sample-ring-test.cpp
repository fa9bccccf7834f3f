#include "capture/sample-ring.hpp"

#include <array>
#include <cstdint>
#include <thread>
#include <vector>

#include "tap.hpp"

using zerocast::SampleRing;
using zerocast::test::Run;

namespace {

std::vector<std::byte> numbers(std::size_t from, std::size_t count) {
  std::vector<std::byte> bytes;
  for (std::size_t at = 0; at < count; ++at) {
    bytes.push_back(static_cast<std::byte>((from + at) * 31));
  }
  return bytes;
}

// All that is there, in its order.
std::vector<std::byte> drain(SampleRing& ring) {
  std::vector<std::byte> all;
  for (auto piece = ring.front(); !piece.empty(); piece = ring.front()) {
    all.insert(all.end(), piece.begin(), piece.end());
    ring.take(piece.size());
  }
  return all;
}

}  // namespace

int main() {
  Run run;

  run.it("gives back what was written, also across its end", [](Run& t) {
    SampleRing ring(16);
    for (std::size_t at = 0; at < 200; at += 12) {
      t.expect(ring.write(numbers(at, 12)), "there is room");
      t.expect(drain(ring) == numbers(at, 12), "it is the same");
    }
    t.expect(ring.front().empty(), "nothing is left");
  });

  run.it("takes all of a piece or nothing", [](Run& t) {
    SampleRing ring(10);
    t.expect(ring.write(numbers(0, 16)), "it has a power of two");
    t.expect(!ring.write(numbers(16, 1)), "then it is full");
    ring.take(4);
    t.expect(!ring.write(numbers(16, 5)), "five do not fit");
    t.expect(ring.write(numbers(16, 4)), "four do");
    t.expect(drain(ring) == numbers(4, 16), "nothing is torn");
    t.expect(ring.write({}), "nothing always fits");
  });

  run.it("carries all from one thread to another in its order", [](Run& t) {
    constexpr std::size_t total = 200'000;
    SampleRing ring(256);
    std::thread writer([&ring] {
      for (std::size_t at = 0; at < total; at += 8) {
        while (!ring.write(numbers(at, 8))) std::this_thread::yield();
      }
    });
    std::size_t read = 0;
    bool isSame = true;
    while (read < total) {
      const auto piece = ring.front();
      if (piece.empty()) std::this_thread::yield();
      for (const std::byte byte : piece) isSame = isSame && byte == static_cast<std::byte>(read++ * 31);
      ring.take(piece.size());
    }
    writer.join();
    t.expect(isSame && read == total, "each byte is where it belongs");
  });

  return run.finish();
}
