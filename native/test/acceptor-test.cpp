#include "acceptor.hpp"

#ifdef __linux__

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdlib>

#include "socket-pair.hpp"
#include "tap.hpp"

using zerocast::Acceptor;
using zerocast::Descriptor;
using zerocast::test::awaitNews;
using zerocast::test::closeSocket;
using zerocast::test::openDescriptors;
using zerocast::test::resetConnection;
using zerocast::test::Run;
using zerocast::test::seesEnd;
using zerocast::test::Socket;

namespace {

struct Port {
  Socket listener;
  sockaddr_in address{};

  [[nodiscard]] Socket connect() const {
    Socket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* const to = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(client.fd(), to, sizeof address) != 0) std::abort();
    return client;
  }
};

Port openPort() {
  Port port{Socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))};
  port.address.sin_family = AF_INET;
  port.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof port.address;
  auto* const any = reinterpret_cast<sockaddr*>(&port.address);
  if (::bind(port.listener.fd(), any, size) != 0 || ::listen(port.listener.fd(), 16) != 0 ||
      ::getsockname(port.listener.fd(), any, &size) != 0) {
    std::abort();
  }
  return port;
}

// While it lives the process may have no more descriptors than it has.
class Shortage {
 public:
  Shortage() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    const Descriptor next(::dup(0));
    none.rlim_cur = static_cast<rlim_t>(next.fd());
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  Shortage(const Shortage&) = delete;
  Shortage& operator=(const Shortage&) = delete;
  ~Shortage() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

int main() {
  Run run;

  run.it("takes what waits, one after the other, and then says that none waits", [](Run& t) {
    const Port port = openPort();
    Acceptor acceptor(port.listener.fd());
    t.expect(acceptor.accept() == -EAGAIN, "at first none waits");
    const Socket first = port.connect();
    const Socket second = port.connect();
    t.expect(awaitNews(acceptor.fd()), "the descriptor tells of them");
    const Socket one(acceptor.accept());
    const Socket other(acceptor.accept());
    t.expect(one.fd() >= 0 && other.fd() >= 0 && one.fd() != other.fd(), "both are taken");
    t.expect(acceptor.accept() == -EAGAIN, "there is no third");
    t.expect(!awaitNews(acceptor.fd(), POLLIN, 0), "the descriptor has nothing to tell");
  });

  run.it("gives connections that neither block, nor wait for more, nor outlive an exec", [](Run& t) {
    const Port port = openPort();
    Acceptor acceptor(port.listener.fd());
    const Socket client = port.connect();
    const Socket taken(acceptor.accept());
    int noDelay = 0;
    socklen_t bytes = sizeof noDelay;
    ::getsockopt(taken.fd(), IPPROTO_TCP, TCP_NODELAY, &noDelay, &bytes);
    t.expect(noDelay != 0, "small messages go at once");
    t.expect((::fcntl(taken.fd(), F_GETFL) & O_NONBLOCK) != 0, "it does not block");
    t.expect((::fcntl(taken.fd(), F_GETFD) & FD_CLOEXEC) != 0, "children do not get it");
    t.expect((::fcntl(acceptor.fd(), F_GETFD) & FD_CLOEXEC) != 0, "nor the listening socket");
  });

  run.it("goes on when the socket that it was made from is closed, and ends by itself", [](Run& t) {
    const std::size_t before = openDescriptors();
    {
      Port port = openPort();
      Acceptor acceptor(port.listener.fd());
      closeSocket(port.listener);
      const Socket served = port.connect();
      const Socket taken(acceptor.accept());
      t.expect(taken.fd() >= 0, "it still accepts");
      const Socket late = port.connect();
      acceptor.close();
      t.expect(!acceptor.isOpen() && acceptor.accept() == -EAGAIN, "then it has none any more");
      t.expect(seesEnd(late), "who waits is told");
    }
    t.expect(openDescriptors() == before, "no descriptor is left");
  });

  run.it("is not stopped by a connection that has ended before its turn", [](Run& t) {
    const Port port = openPort();
    Acceptor acceptor(port.listener.fd());
    Socket gone = port.connect();
    resetConnection(gone);
    const Socket stays = port.connect();
    const Socket one(acceptor.accept());
    const Socket other(acceptor.accept());
    t.expect(one.fd() >= 0, "the one that stays is taken, whatever became of the other");
    t.expect(acceptor.accept() == -EAGAIN, "nothing is left");
  });

  run.it("ends those who wait while there is no descriptor for them", [](Run& t) {
    const Port port = openPort();
    Acceptor acceptor(port.listener.fd());
    for (int round = 0; round < 2; ++round) {
      const Socket first = port.connect();
      const Socket second = port.connect();
      const Shortage shortage;
      t.expect(acceptor.accept() == -EMFILE, "it says why");
      t.expect(seesEnd(first) && seesEnd(second), "nobody waits in vain");
      t.expect(acceptor.accept() == -EAGAIN, "then none waits");
    }
    const Socket late = port.connect();
    const Socket taken(acceptor.accept());
    t.expect(taken.fd() >= 0, "who comes afterwards is taken");
  });

  run.it("is not open without a socket", [](Run& t) {
    Acceptor acceptor(-1);
    t.expect(!acceptor.isOpen(), "there is nothing to accept from");
    t.expect(acceptor.accept() == -EAGAIN, "nothing comes");
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
