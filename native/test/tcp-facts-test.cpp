#include "tcp-facts.hpp"

#ifdef __linux__

#include <array>
#include <cerrno>
#include <cmath>
#include <ctime>
#include <vector>

#include "socket-pair.hpp"
#include "tap.hpp"

using zerocast::readTcpFacts;
using zerocast::TcpFact;
using zerocast::tcpFactCount;
using zerocast::test::connectIpv4;
using zerocast::test::Connection;
using zerocast::test::receive;
using zerocast::test::Run;
using zerocast::test::Socket;

namespace {

class Facts {
 public:
  explicit Facts(int fd) : error(readTcpFacts(fd, values_)) {}
  [[nodiscard]] double operator[](TcpFact fact) const {
    return values_[static_cast<std::size_t>(fact)];
  }
  [[nodiscard]] bool areAllUnknown() const {
    for (const double value : values_) {
      if (!std::isnan(value)) return false;
    }
    return true;
  }

 private:
  std::array<double, tcpFactCount> values_{};

 public:
  int error;
};

std::size_t sendAll(const Socket& sender, std::size_t bytes) {
  const std::vector<std::byte> data(bytes);
  std::size_t sent = 0;
  while (sent < bytes) {
    const ssize_t taken = send(sender.fd(), data.data() + sent, bytes - sent, MSG_DONTWAIT);
    if (taken <= 0) break;
    sent += static_cast<std::size_t>(taken);
  }
  return sent;
}

void sleepMs(long ms) {
  const timespec time{0, ms * 1'000'000};
  nanosleep(&time, nullptr);
}

}  // namespace

int main() {
  Run run;

  run.it("tells how long a peer takes to acknowledge, and that nothing waits for it", [](Run& t) {
    const auto pair = connectIpv4();
    if (!pair) return t.expect(false, "there is a connection");
    t.expect(sendAll(pair->sender, 1000) == 1000, "the peer is sent something");
    t.expect(receive(pair->receiver, 1000).size() == 1000, "and gets it");
    const Facts facts(pair->sender.fd());
    t.expect(facts.error == 0, "the kernel tells");
    t.expect(facts[TcpFact::roundTripUs] > 0, "a round trip takes its time");
    t.expect(facts[TcpFact::roundTripUs] < 1e6, "no second over loopback");
    t.expect(facts[TcpFact::roundTripDeviationUs] >= 0, "it differs");
    t.expect(facts[TcpFact::leastRoundTripUs] <= facts[TcpFact::roundTripUs], "the least is less");
    t.expect(facts[TcpFact::queuedBytes] == 0, "nothing waits");
    t.expect(facts[TcpFact::retransmissions] == 0, "nothing was sent again");
    t.expect(facts[TcpFact::timeouts] == 0, "nothing is overdue");
    t.expect(facts[TcpFact::deliveryBytesPerSecond] > 0, "it has gone at some speed");
  });

  run.it("tells what waits for a peer that does not read, and for how long it has", [](Run& t) {
    const auto pair = connectIpv4();
    if (!pair) return t.expect(false, "there is a connection");
    std::size_t sent = 0;
    // Memory of the peer's side fills bit by bit.
    for (int turn = 0; turn < 100; ++turn) {
      const std::size_t more = sendAll(pair->sender, 8 * 1024 * 1024);
      sent += more;
      if (more == 0 && Facts(pair->sender.fd())[TcpFact::receiverLimitedUs] > 0) break;
      sleepMs(10);
    }
    const Facts before(pair->sender.fd());
    t.expect(before[TcpFact::queuedBytes] > 0, "something waits");
    t.expect(before[TcpFact::queuedBytes] <= static_cast<double>(sent), "no more than was sent");
    t.expect(before[TcpFact::unsentBytes] > 0, "of which some was not sent");
    t.expect(before[TcpFact::receiverLimitedUs] > 0, "as the peer has no room");
    sleepMs(50);
    const Facts after(pair->sender.fd());
    const double us = after[TcpFact::receiverLimitedUs] - before[TcpFact::receiverLimitedUs];
    t.expect(us >= 40'000, "and that goes on");
  });

  run.it("knows nothing of what is no connection", [](Run& t) {
    const Facts closed(-1);
    t.expect(closed.error == EBADF && closed.areAllUnknown(), "of no descriptor");
    int ends[2];
    if (pipe(ends) != 0) return t.expect(false, "there is a pipe");
    const Socket read(ends[0]);
    const Socket write(ends[1]);
    const Facts pipeFacts(read.fd());
    t.expect(pipeFacts.error == ENOTSOCK && pipeFacts.areAllUnknown(), "of a pipe");
    const Socket datagrams(socket(AF_INET, SOCK_DGRAM, 0));
    const Facts datagramFacts(datagrams.fd());
    t.expect(datagramFacts.error != 0 && datagramFacts.areAllUnknown(), "of UDP");
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
