#include "arrival-clock.hpp"

#include "monotonic-clock.hpp"
#include "tap.hpp"

using namespace zerocast;
using namespace zerocast::test;

namespace {

constexpr std::int64_t secondUs = 1'000'000;
// The wall clock is far ahead of the monotonic one, as in life.
constexpr std::int64_t offsetUs = 1'800'000'000 * secondUs;

// Both clocks, with hands that a test moves.
struct Clocks {
  ArrivalClock arrivals;
  std::int64_t monotonicUs = 100 * secondUs;
  std::int64_t wallUs = monotonicUs + offsetUs;

  Clocks() {
    look();
    pass(secondUs);
  }
  void pass(std::int64_t us) {
    monotonicUs += us;
    wallUs += us;
  }
  void look(std::int64_t takesUs = 0) {
    arrivals.look({monotonicUs, wallUs, monotonicUs + takesUs});
  }
  [[nodiscard]] std::int64_t arrivalOf(std::int64_t stampUs) const {
    return arrivals.arrivalUs(stampUs, monotonicUs);
  }
};

void testStamps(Run& run) {
  run.it("gives the time of the stamp by the monotonic clock", [](Run& t) {
    Clocks clocks;
    const std::int64_t stampUs = clocks.wallUs;
    const std::int64_t cameUs = clocks.monotonicUs;
    clocks.pass(70'000);
    clocks.look();
    t.expect(clocks.arrivalOf(stampUs) == cameUs, "not that of the read");
    clocks.pass(30'000);
    t.expect(clocks.arrivalOf(stampUs) == cameUs, "however long the pass takes");
  });

  run.it("gives the time of the read when there is no stamp, or one of the future", [](Run& t) {
    Clocks clocks;
    clocks.look();
    t.expect(clocks.arrivalOf(0) == clocks.monotonicUs, "no stamp");
    t.expect(clocks.arrivalOf(-5) == clocks.monotonicUs, "nonsense");
    t.expect(clocks.arrivalOf(clocks.wallUs + 1) == clocks.monotonicUs, "the future");
  });

  run.it("does not believe in an age", [](Run& t) {
    Clocks clocks;
    const std::int64_t stampUs = clocks.wallUs;
    const std::int64_t cameUs = clocks.monotonicUs;
    clocks.pass(ArrivalClock::maxWaitUs);
    clocks.look();
    t.expect(clocks.arrivalOf(stampUs) == cameUs, "so long is possible");
    clocks.pass(1);
    t.expect(clocks.arrivalOf(stampUs) == clocks.monotonicUs, "more is not");
  });

  run.it("knows the clocks of this machine", [](Run& t) {
    ArrivalClock arrivals;
    arrivals.look(readClocks());
    const std::int64_t beforeUs = monotonicUs();
    const std::int64_t stampUs = clockUs(CLOCK_REALTIME);
    const std::int64_t afterUs = monotonicUs();
    ClockReading reading = readClocks();
    while (reading.afterUs - reading.beforeUs > 10) reading = readClocks();
    arrivals.look(reading);
    const std::int64_t arrivalUs = arrivals.arrivalUs(stampUs, monotonicUs());
    t.expect(arrivalUs >= beforeUs - ArrivalClock::maxDriftUs, "it is not before the stamp");
    t.expect(arrivalUs <= afterUs + ArrivalClock::maxDriftUs || arrivalUs <= monotonicUs(),
             "nor after the read");
  });
}

void testSteps(Run& run) {
  // Ever further, in both directions.
  constexpr std::int64_t stepsUs[] = {2000,  50'000,  900'000,  3600 * secondUs,
                                      -2000, -50'000, -900'000, -3600 * secondUs};
  for (const std::int64_t stepUs : stepsUs) {
    const std::string by = std::to_string(stepUs) + " us";
    run.it("is never early or after the read when the wall clock is set by " + by, [=](Run& t) {
      Clocks clocks;
      const std::int64_t stampUs = clocks.wallUs;
      const std::int64_t cameUs = clocks.monotonicUs;
      clocks.pass(10'000);
      clocks.wallUs += stepUs;
      for (int look = 0; look < 5; ++look) {
        clocks.look();
        const std::int64_t arrivalUs = clocks.arrivalOf(stampUs);
        t.expect(arrivalUs >= cameUs && arrivalUs <= clocks.monotonicUs, "what waited meanwhile");
        clocks.pass(10'000);
      }
      const std::int64_t nextStampUs = clocks.wallUs;
      const std::int64_t nextUs = clocks.monotonicUs;
      clocks.pass(5000);
      clocks.look();
      t.expect(clocks.arrivalOf(nextStampUs) == nextUs, "what comes later is exact again");
    });
  }

  run.it("is not led astray by a look that was interrupted", [](Run& t) {
    Clocks clocks;
    const std::int64_t cameUs = clocks.monotonicUs;
    const std::int64_t stampUs = clocks.wallUs;
    clocks.pass(1000);
    clocks.look(400'000);
    clocks.pass(400'000);
    t.expect(clocks.arrivalOf(stampUs) == clocks.monotonicUs, "it says nothing of that time");
    const std::int64_t nextUs = clocks.monotonicUs;
    const std::int64_t nextStampUs = clocks.wallUs;
    clocks.pass(1000);
    clocks.look();
    t.expect(clocks.arrivalOf(nextStampUs) == nextUs, "but the next one does");
    t.expect(clocks.arrivalOf(stampUs) >= cameUs, "and nothing is early");
  });

  run.it("follows a clock that is slewed", [](Run& t) {
    Clocks clocks;
    for (int look = 0; look < 1000; ++look) {
      const std::int64_t stampUs = clocks.wallUs;
      const std::int64_t cameUs = clocks.monotonicUs;
      clocks.pass(100'000);
      clocks.wallUs += 50;
      clocks.look();
      t.expect(clocks.arrivalOf(stampUs) == cameUs - 50, "exact but for the drift meanwhile");
    }
  });
}

}  // namespace

int main() {
  Run run;
  testStamps(run);
  testSteps(run);
  return run.finish();
}
