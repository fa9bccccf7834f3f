#include "tap.hpp"

#ifdef __linux__

#include "zero-copy-probe.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>

#include "scripted-kernel.hpp"
#include "socket-pair.hpp"

using zerocast::ProbeCalls;
using zerocast::ProbeStep;
using zerocast::sendZeroCopyProbe;
using zerocast::ZeroCopyProbe;
using namespace zerocast::test;

namespace {

int optionError = 0;

int refuseOption(int, int, int, const void*, socklen_t) {
  errno = optionError;
  return -1;
}

ZeroCopyProbe probeWith(SendAnswer answer) {
  ProbeCalls calls{scriptedCalls()};
  kernel.answers.push_back(answer);
  return sendZeroCopyProbe(calls);
}

ZeroCopyProbe probeWithCompletion(bool copied) {
  ProbeCalls calls{scriptedCalls()};
  kernel.scriptsCompletions = true;
  kernel.completions.push_back({0, 0, copied});
  return sendZeroCopyProbe(calls);
}

void testRealKernel(Run& t) {
  const std::size_t before = openDescriptors();
  const ZeroCopyProbe probe = sendZeroCopyProbe();
  t.expect(probe.step == ProbeStep::done && probe.error == 0, "every step succeeds");
  t.expect(probe.copied, "the kernel copied, as always over loopback");
  t.expect(openDescriptors() == before, "nothing stays open");
}

void testOptionRefused(Run& t) {
  for (const int error : {ENOPROTOOPT, EPERM}) {
    ProbeCalls calls{scriptedCalls(), refuseOption};
    optionError = error;
    const std::size_t before = openDescriptors();
    const ZeroCopyProbe probe = sendZeroCopyProbe(calls);
    t.expect(probe.step == ProbeStep::allow && probe.error == error, "the step and its errno");
    t.expect(kernel.pinned + kernel.plain == 0, "nothing is sent");
    t.expect(openDescriptors() == before, "nothing stays open");
  }
}

void testSendRefused(Run& t) {
  for (const int error : {ENOBUFS, EPERM}) {
    const ZeroCopyProbe probe = probeWith({error});
    t.expect(probe.step == ProbeStep::send && probe.error == error, "the step and its errno");
    t.expect(kernel.plain == 0, "it is not tried without the flag");
  }
}

void testInterrupted(Run& t) {
  const ZeroCopyProbe probe = probeWith({EINTR});
  t.expect(probe.step == ProbeStep::done, "a signal is no failure");
  t.expect(kernel.pinned == 2, "it is sent again");
}

void testNotCopied(Run& t) {
  const ZeroCopyProbe probe = probeWithCompletion(false);
  t.expect(probe.step == ProbeStep::done && !probe.copied, "the code of the completion is told");
  t.expect(probeWithCompletion(true).copied, "the other code too");
}

void testNoCompletion(Run& t) {
  ProbeCalls calls{scriptedCalls()};
  kernel.scriptsCompletions = true;
  const ZeroCopyProbe probe = sendZeroCopyProbe(calls, 50);
  t.expect(probe.step == ProbeStep::complete && probe.error == ETIMEDOUT, "it does not wait on");
}

}  // namespace

int main() {
  Run t;
  t.it("a zero-copy probe is completed by this kernel", testRealKernel);
  t.it("a zero-copy probe tells that the option is refused", testOptionRefused);
  t.it("a zero-copy probe tells that the send is refused", testSendRefused);
  t.it("a zero-copy probe survives a signal", testInterrupted);
  t.it("a zero-copy probe tells whether the kernel copied", testNotCopied);
  t.it("a zero-copy probe gives up waiting for a completion", testNoCompletion);
  return t.finish();
}

#else

int main() { return zerocast::test::Run{}.finish(); }

#endif
