#include "reservation.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "tap.hpp"

using zerocast::Reservation;
using zerocast::test::Run;

namespace {

// Enough for two threads to meet within a few instructions of each other many times.
constexpr std::uint32_t rounds = 100'000;
constexpr std::size_t messageWords = 8;

// Stands for a socket: it takes bytes in any order from anybody. It is deliberately plain memory,
// so that nothing but the reservation keeps two writers apart.
class PlainSocket {
 public:
  PlainSocket() : words_(2 * rounds * messageWords) {}

  void write(std::uint32_t message) {
    for (std::size_t i = 0; i < messageWords; ++i) words_[length_++] = message;
  }

  // The messages in their order; empty when one of them is cut.
  [[nodiscard]] std::vector<std::uint32_t> messages() const {
    std::vector<std::uint32_t> whole;
    for (std::size_t start = 0; start + messageWords <= length_; start += messageWords) {
      const auto first = words_.begin() + static_cast<std::ptrdiff_t>(start);
      const auto end = first + static_cast<std::ptrdiff_t>(messageWords);
      const std::uint32_t message = *first;
      if (std::count(first, end, message) != end - first) return {};
      whole.push_back(message);
    }
    return whole;
  }

 private:
  std::vector<std::uint32_t> words_;
  std::size_t length_ = 0;
};

// True when every number of `first`..`first + rounds` came exactly once and in its order.
bool arrivedInOrder(const std::vector<std::uint32_t>& messages, std::uint32_t first) {
  std::uint32_t next = first;
  for (const std::uint32_t message : messages) {
    if (message < first || message >= first + rounds) continue;
    if (message != next++) return false;
  }
  return next == first + rounds;
}

// Tries until it works. A broken reservation may stay taken for ever, so there is an end: no
// writer that is alive keeps the right for that many pauses.
template <typename Attempt>
bool eventually(Attempt attempt) {
  constexpr int maxPauses = 3'000;
  constexpr int attemptsPerPause = 1'000;
  for (int pauses = 0; pauses < maxPauses; ++pauses) {
    for (int i = 0; i < attemptsPerPause; ++i) {
      if (attempt()) return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// Lets two threads set out together again and again: a thread that runs while the other one sleeps
// proves nothing. Relaxed, because nothing but the reservation may put their writes in order.
class Meetings {
 public:
  // False when the other thread does not come.
  [[nodiscard]] bool meet(std::uint32_t round) {
    if (round % roundsBetween != 0) return true;
    arrived_.fetch_add(1, std::memory_order_relaxed);
    const std::uint32_t expected = 2 * (round / roundsBetween + 1);
    return eventually([&] { return arrived_.load(std::memory_order_relaxed) >= expected; });
  }

 private:
  static constexpr std::uint32_t roundsBetween = 1'000;

  std::atomic<std::uint32_t> arrived_ = 0;
};

void testRules(Run& run) {
  run.it("is held by one at a time", [](Run& t) {
    std::int32_t word = 0;
    const Reservation reservation(word);
    t.expect(reservation.isFree(), "it begins free");
    t.expect(reservation.tryHold(), "it can be held");
    t.expect(word == -1, "the word is what JavaScript knows as held");
    t.expect(!reservation.isFree(), "then it is not free");
    t.expect(!reservation.tryHold(), "nobody else can hold it");
    t.expect(!reservation.tryRaise(), "no asynchronous write can begin");
    reservation.release();
    t.expect(reservation.isFree() && word == 0, "it is free again");
  });

  run.it("counts asynchronous writes and refuses the fan-out until all have ended", [](Run& t) {
    std::int32_t word = 0;
    const Reservation reservation(word);
    t.expect(reservation.tryRaise() && reservation.tryRaise(), "two writes can begin");
    t.expect(word == 2, "the word is their number");
    reservation.lower();
    t.expect(!reservation.tryHold() && !reservation.isFree(), "one is still under way");
    reservation.lower();
    t.expect(reservation.tryHold(), "it can be held after the last one");
  });

  run.it("cannot be let go by somebody who does not hold it", [](Run& t) {
    std::int32_t word = 0;
    const Reservation reservation(word);
    t.expect(reservation.tryRaise(), "an asynchronous write begins");
    reservation.release();
    t.expect(word == 1, "it is still under way");
  });

  run.it("is the same right in every copy over one word", [](Run& t) {
    std::int32_t word = 0;
    const Reservation reservation(word);
    const Reservation copy = reservation;
    t.expect(copy.tryHold(), "the copy holds it");
    t.expect(!Reservation(word).tryHold(), "then nobody else can");
    reservation.release();
    t.expect(copy.isFree(), "the original lets it go");
  });
}

void testThreads(Run& run) {
  run.it("keeps messages of the fan-out and asynchronous writes whole on two threads", [](Run& t) {
    std::int32_t word = 0;
    const Reservation reservation(word);
    PlainSocket socket;
    Meetings meetings;

    std::thread fanOut([&] {
      for (std::uint32_t i = 0; i < rounds; ++i) {
        if (!meetings.meet(i) || !eventually([&] { return reservation.tryHold(); })) return;
        socket.write(i);
        reservation.release();
      }
    });
    std::thread replies([&] {
      for (std::uint32_t i = 0; i < rounds; ++i) {
        if (!meetings.meet(i) || !eventually([&] { return reservation.tryRaise(); })) return;
        socket.write(rounds + i);
        reservation.lower();
      }
    });
    fanOut.join();
    replies.join();

    const auto messages = socket.messages();
    t.expect(messages.size() == 2 * rounds, "every message is whole and none is missing");
    t.expect(arrivedInOrder(messages, 0), "the fan-out wrote each of its messages once");
    t.expect(arrivedInOrder(messages, rounds), "so did the asynchronous writes");
    t.expect(reservation.isFree(), "nobody writes any more");
  });

  run.it("loses no asynchronous write that begins or ends on another thread", [](Run& t) {
    std::int32_t word = 0;
    const Reservation reservation(word);
    Meetings meetings;
    bool refused[2] = {false, false};

    const auto raiseAndLower = [&](bool& wasRefused) {
      for (std::uint32_t i = 0; i < rounds; ++i) {
        if (!meetings.meet(i) || !reservation.tryRaise()) wasRefused = true;
        reservation.lower();
      }
    };
    std::thread first([&] { raiseAndLower(refused[0]); });
    std::thread second([&] { raiseAndLower(refused[1]); });
    first.join();
    second.join();

    t.expect(!refused[0] && !refused[1], "they do not refuse each other");
    t.expect(reservation.isFree(), "all have ended");
  });

  run.it("shows what was written to whoever sees it free", [](Run& t) {
    std::int32_t word = 0;
    const Reservation reservation(word);
    PlainSocket socket;
    t.expect(reservation.tryHold(), "the fan-out holds it before anybody looks");

    std::thread fanOut([&] {
      socket.write(7);
      reservation.release();
    });
    t.expect(eventually([&] { return reservation.isFree(); }), "it becomes free");
    t.expect(socket.messages() == std::vector<std::uint32_t>{7}, "the message is there");
    fanOut.join();
  });
}

}  // namespace

int main() {
  Run run;
  testRules(run);
  testThreads(run);
  return run.finish();
}
