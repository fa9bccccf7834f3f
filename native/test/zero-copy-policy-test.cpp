#include "zero-copy-policy.hpp"

#include <cstdint>

#include "tap.hpp"

using zerocast::ZeroCopyMode;
using zerocast::ZeroCopyPolicy;
using zerocast::test::Run;
using State = ZeroCopyPolicy::State;

namespace {

constexpr std::uint32_t never = UINT32_MAX;

// How many sends go out plainly before the policy wants one; the wanted one is not counted.
std::uint32_t plainSendsBefore(ZeroCopyPolicy& policy, std::uint32_t patience = 10'000) {
  for (std::uint32_t sends = 0; sends < patience; ++sends) {
    if (policy.wants()) return sends;
  }
  return never;
}

// Sends that are accepted and completed one after the other.
void sendAndComplete(ZeroCopyPolicy& policy, std::uint32_t sends, bool copied) {
  for (std::uint32_t send = 0; send < sends; ++send) {
    policy.onAccepted();
    policy.onCompleted(1, copied, 0);
  }
}

ZeroCopyPolicy copiedPolicy() {
  ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
  sendAndComplete(policy, ZeroCopyPolicy::copiedProof, true);
  return policy;
}

void testCopied(Run& run) {
  run.it("wants every send while completions say that nothing was copied", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
    bool always = true;
    for (int send = 0; send < 1000; ++send) {
      always = always && policy.wants();
      sendAndComplete(policy, 1, false);
    }
    t.expect(always && policy.state() == State::active, "it stays active");
  });

  run.it("stops after so many copied completions in a row", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
    sendAndComplete(policy, ZeroCopyPolicy::copiedProof - 1, true);
    t.expect(policy.state() == State::active && policy.wants(), "one is missing to the proof");
    sendAndComplete(policy, 1, true);
    t.expect(policy.state() == State::copied && !policy.wants(), "then it stops");
  });

  run.it("counts all sends of a merged range, however large", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
    policy.onCompleted(ZeroCopyPolicy::copiedProof - 1, true, 0);
    policy.onCompleted(0, true, 0);
    policy.onCompleted(0, false, 0);
    t.expect(policy.state() == State::active, "no send proves nothing");
    policy.onCompleted(UINT32_MAX, true, 0);
    t.expect(policy.state() == State::copied, "the range is proof");
  });

  run.it("goes on while a completion that was not copied comes in between", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
    for (int round = 0; round < 10; ++round) {
      sendAndComplete(policy, ZeroCopyPolicy::copiedProof - 1, true);
      sendAndComplete(policy, 1, false);
    }
    t.expect(policy.state() == State::active && policy.wants(), "the path is worth it");
    sendAndComplete(policy, ZeroCopyPolicy::copiedProof, true);
    t.expect(policy.state() == State::copied, "until it is not any more");
  });

  run.it("never stops for copies when it is told to send so always", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::always);
    sendAndComplete(policy, 1000, true);
    t.expect(policy.state() == State::active && policy.wants(), "it stays active");
  });
}

void testProbes(Run& run) {
  run.it("makes one send in so many a probe, and as many again after a copied one", [](Run& t) {
    ZeroCopyPolicy policy = copiedPolicy();
    for (int probe = 0; probe < 3; ++probe) {
      t.expect(plainSendsBefore(policy) == ZeroCopyPolicy::probeEvery - 1, "a probe is due");
      sendAndComplete(policy, 1, true);
      t.expect(policy.state() == State::copied, "it was copied");
    }
  });

  run.it("is active again after a probe that was not copied, and weighs anew", [](Run& t) {
    ZeroCopyPolicy policy = copiedPolicy();
    t.expect(plainSendsBefore(policy) != never, "a probe is due");
    sendAndComplete(policy, 1, false);
    t.expect(policy.state() == State::active && policy.wants(), "it is active");
    sendAndComplete(policy, ZeroCopyPolicy::copiedProof - 1, true);
    t.expect(policy.state() == State::active, "one is missing to the proof");
    sendAndComplete(policy, 1, true);
    t.expect(policy.state() == State::copied, "the proof is of the sends since then");
  });

  run.it("has one probe in flight at a time", [](Run& t) {
    ZeroCopyPolicy policy = copiedPolicy();
    t.expect(plainSendsBefore(policy) != never, "a probe is due");
    policy.onAccepted();
    t.expect(plainSendsBefore(policy) == never, "no other while it is out");
    policy.onCompleted(1, true, 0);
    t.expect(plainSendsBefore(policy) == ZeroCopyPolicy::probeEvery - 1, "then the next one");
  });

  run.it("sends no probe beside sends from before the verdict", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
    constexpr std::uint32_t sends = ZeroCopyPolicy::copiedProof + 2;
    for (std::uint32_t send = 0; send < sends; ++send) policy.onAccepted();
    policy.onCompleted(ZeroCopyPolicy::copiedProof, true, 2);
    t.expect(policy.state() == State::copied, "the verdict is made with two in flight");
    t.expect(plainSendsBefore(policy) == never, "no probe while they are out");
    policy.onCompleted(1, true, 1);
    t.expect(plainSendsBefore(policy) == never, "nor while one is out");
    policy.onCompleted(1, true, 0);
    t.expect(plainSendsBefore(policy) == ZeroCopyPolicy::probeEvery - 1, "then the first one");
  });

  run.it("keeps a probe due until one is accepted", [](Run& t) {
    ZeroCopyPolicy policy = copiedPolicy();
    t.expect(plainSendsBefore(policy) != never, "a probe is due");
    t.expect(policy.wants() && policy.wants(), "a full socket has not taken it");
    policy.onAccepted();
    t.expect(!policy.wants(), "now it has");
  });
}

void testCongestion(Run& run) {
  run.it("waits for everything in flight and then for a number of sends", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
    for (int send = 0; send < 3; ++send) policy.onAccepted();
    policy.onNoBuffers(3);
    t.expect(policy.state() == State::congested, "it is congested");
    t.expect(plainSendsBefore(policy) == never, "no sends are enough while some are out");
    policy.onCompleted(2, false, 1);
    t.expect(plainSendsBefore(policy) == never, "nor while one is out");
    policy.onCompleted(1, false, 0);
    t.expect(policy.state() == State::congested, "completions alone are not enough");
    t.expect(plainSendsBefore(policy) == ZeroCopyPolicy::firstBackOffSends, "the sends pass");
    t.expect(policy.state() == State::active && policy.wants(), "it is active");
  });

  run.it("waits for no event when nothing was in flight", [](Run& t) {
    for (const ZeroCopyMode mode : {ZeroCopyMode::adaptive, ZeroCopyMode::always}) {
      ZeroCopyPolicy policy(mode);
      policy.onNoBuffers(0);
      t.expect(!policy.wants() && policy.state() == State::congested, "it is congested");
      t.expect(plainSendsBefore(policy) == ZeroCopyPolicy::firstBackOffSends - 1,
               "sends alone bring it back");
    }
  });

  run.it("doubles the wait with every refusal in a row, up to a limit", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
    std::uint32_t expected = ZeroCopyPolicy::firstBackOffSends;
    for (int refusal = 0; refusal < 40; ++refusal) {
      policy.onNoBuffers(0);
      t.expect(plainSendsBefore(policy) == expected, "the wait is twice the last");
      expected = expected < ZeroCopyPolicy::maxBackOffSends ? 2 * expected : expected;
    }
    t.expect(expected == ZeroCopyPolicy::maxBackOffSends, "the limit is reached");
    sendAndComplete(policy, 1, false);
    policy.onNoBuffers(0);
    t.expect(plainSendsBefore(policy) == ZeroCopyPolicy::firstBackOffSends,
             "a completed send starts it over");
  });

  run.it("takes completions of sends from before the refusal for no success", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
    policy.onNoBuffers(0);
    t.expect(plainSendsBefore(policy) == ZeroCopyPolicy::firstBackOffSends, "the first wait");
    policy.onAccepted();
    policy.onNoBuffers(1);
    policy.onCompleted(1, false, 0);
    t.expect(plainSendsBefore(policy) == 2 * ZeroCopyPolicy::firstBackOffSends, "the second");
    policy.onNoBuffers(0);
    t.expect(plainSendsBefore(policy) == 4 * ZeroCopyPolicy::firstBackOffSends, "the third");
  });

  run.it("takes an accepted send that is not completed for no success", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
    policy.onNoBuffers(0);
    t.expect(plainSendsBefore(policy) == ZeroCopyPolicy::firstBackOffSends, "the first wait");
    policy.onAccepted();
    policy.onNoBuffers(0);
    t.expect(plainSendsBefore(policy) == 2 * ZeroCopyPolicy::firstBackOffSends, "the second");
  });

  run.it("is congested by the refusal of a probe, and weighs anew afterwards", [](Run& t) {
    ZeroCopyPolicy policy = copiedPolicy();
    t.expect(plainSendsBefore(policy) != never, "a probe is due");
    policy.onNoBuffers(0);
    t.expect(policy.state() == State::congested, "it is congested");
    t.expect(plainSendsBefore(policy) == ZeroCopyPolicy::firstBackOffSends, "the sends pass");
    sendAndComplete(policy, ZeroCopyPolicy::copiedProof - 1, true);
    t.expect(policy.state() == State::active, "one is missing to the proof");
    sendAndComplete(policy, 1, true);
    t.expect(policy.state() == State::copied, "the path copies still");
  });

  run.it("forgets with congestion what was copied before", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
    sendAndComplete(policy, ZeroCopyPolicy::copiedProof - 1, true);
    policy.onNoBuffers(0);
    t.expect(plainSendsBefore(policy) == ZeroCopyPolicy::firstBackOffSends, "the sends pass");
    sendAndComplete(policy, 1, true);
    t.expect(policy.state() == State::active, "the proof is of the sends since then");
  });

  run.it("counts no copies towards the proof while it is congested", [](Run& t) {
    ZeroCopyPolicy policy(ZeroCopyMode::adaptive);
    policy.onNoBuffers(20);
    policy.onCompleted(20, true, 0);
    t.expect(policy.state() == State::congested, "it waits still");
    t.expect(plainSendsBefore(policy) == ZeroCopyPolicy::firstBackOffSends, "the sends pass");
    sendAndComplete(policy, 1, true);
    t.expect(policy.state() == State::active, "one completion is no proof");
  });
}

}  // namespace

int main() {
  Run run;
  testCopied(run);
  testProbes(run);
  testCongestion(run);
  return run.finish();
}
