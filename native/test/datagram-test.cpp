#include "datagram.hpp"

#ifdef __linux__

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "descriptor.hpp"
#include "tap.hpp"

using zerocast::Descriptor;
using zerocast::sendDatagram;
using zerocast::test::Run;

namespace {

// The longest path that a name of a Unix socket holds with its end.
constexpr std::size_t maxPathBytes = sizeof(sockaddr_un::sun_path) - 1;

// A socket that hears what is sent to `path`; not open when there can be none.
Descriptor listenAt(const std::string& path) {
  Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  if (path.front() == '@') address.sun_path[0] = '\0';
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const bool isBound =
      ::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), bytes) == 0;
  return isBound ? std::move(socket) : Descriptor(-1);
}

std::string heard(const Descriptor& socket) {
  std::array<char, 256> text{};
  const ssize_t bytes = ::recv(socket.fd(), text.data(), text.size(), 0);
  return bytes < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(bytes));
}

class Folder {
 public:
  Folder() { ::mkdtemp(path_.data()); }
  ~Folder() { ::rmdir(path_.c_str()); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  // A path of so many bytes below it.
  [[nodiscard]] std::string pathOf(std::size_t bytes) const {
    return path_ + "/" + std::string(bytes - path_.size() - 1, 'x');
  }

 private:
  std::string path_ = "/tmp/zerocast-datagram.XXXXXX";
};

void expectHeard(Run& t, const std::string& path) {
  const Descriptor socket = listenAt(path);
  t.expect(socket.isOpen(), "somebody listens");
  t.expect(sendDatagram(path, "READY=1") == 0, "it is sent");
  t.expect(heard(socket) == "READY=1", "it is heard as it is");
  if (path.front() != '@') ::unlink(path.c_str());
}

}  // namespace

int main() {
  Run run;
  const Folder folder;

  run.it("is heard at a path and at an abstract name", [&](Run& t) {
    expectHeard(t, folder.pathOf(60));
    expectHeard(t, "@zerocast-datagram-" + std::to_string(::getpid()));
  });

  run.it("is heard at the longest path that the system has", [&](Run& t) {
    expectHeard(t, folder.pathOf(maxPathBytes));
  });

  run.it("refuses longer paths and none, and reads nothing behind them", [&](Run& t) {
    for (const std::size_t bytes : {maxPathBytes + 1, maxPathBytes + 2, std::size_t{5000}}) {
      t.expect(sendDatagram(folder.pathOf(bytes), "x") == ENAMETOOLONG, "it is too long");
    }
    t.expect(sendDatagram("", "x") == ENAMETOOLONG, "no path is no name");
    const std::string abstract = "@" + std::string(maxPathBytes + 1, 'x');
    t.expect(sendDatagram(abstract, "x") == ENAMETOOLONG, "neither is a long abstract one");
  });

  run.it("says why nobody hears it", [&](Run& t) {
    t.expect(sendDatagram(folder.pathOf(60), "x") == ENOENT, "there is no such socket");
  });

  run.it("does not wait for who does not read", [&](Run& t) {
    const std::string path = folder.pathOf(60);
    const Descriptor socket = listenAt(path);
    int error = 0;
    for (int sent = 0; sent < 100'000 && error == 0; ++sent) error = sendDatagram(path, "x");
    t.expect(error == EAGAIN, "its queue is full");
    ::unlink(path.c_str());
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
