#include "peer-timeout.hpp"

#ifdef __linux__

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "descriptor.hpp"
#include "tap.hpp"

using zerocast::Descriptor;
using zerocast::setPeerTimeout;
using zerocast::test::Run;

namespace {

int valueOf(const Descriptor& socket, int level, int name) {
  int value = -1;
  socklen_t bytes = sizeof value;
  return ::getsockopt(socket.fd(), level, name, &value, &bytes) == 0 ? value : -1;
}

int tcp(const Descriptor& socket, int name) { return valueOf(socket, IPPROTO_TCP, name); }

// When the kernel gives up a peer that is silent although it is asked.
int silentSeconds(const Descriptor& socket) {
  return tcp(socket, TCP_KEEPIDLE) + tcp(socket, TCP_KEEPCNT) * tcp(socket, TCP_KEEPINTVL);
}

Descriptor open() { return Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

}  // namespace

int main() {
  Run run;

  run.it("gives up a peer after its time, with and without data under way", [](Run& t) {
    for (const int seconds : {7, 15, 60, 3600}) {
      const Descriptor socket = open();
      t.expect(setPeerTimeout(socket.fd(), 1000 * seconds) == 0, "it is set");
      t.expect(valueOf(socket, SOL_SOCKET, SO_KEEPALIVE) == 1, "the peer is asked");
      t.expect(tcp(socket, TCP_USER_TIMEOUT) == 1000 * seconds, "data waits as long as that");
      t.expect(silentSeconds(socket) <= seconds, "silence lasts no longer");
      t.expect(silentSeconds(socket) > seconds - 6, "and hardly shorter");
      t.expect(tcp(socket, TCP_KEEPIDLE) == seconds / 3, "a third of it passes in silence");
    }
  });

  run.it("asks each second at most, however short the time is", [](Run& t) {
    for (const int timeoutMs : {1, 500, 1000, 2999}) {
      const Descriptor socket = open();
      t.expect(setPeerTimeout(socket.fd(), timeoutMs) == 0, "it is set");
      t.expect(tcp(socket, TCP_KEEPIDLE) == 1 && tcp(socket, TCP_KEEPINTVL) == 1, "each second");
      t.expect(tcp(socket, TCP_USER_TIMEOUT) == timeoutMs, "data waits as long as asked for");
    }
  });

  run.it("says why it cannot be set", [](Run& t) {
    t.expect(setPeerTimeout(-1, 1000) == EBADF, "there is no such descriptor");
    const Descriptor other(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    t.expect(setPeerTimeout(other.fd(), 1000) != 0, "a Unix socket has no such time");
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
