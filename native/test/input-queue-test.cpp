#include "input-queue.hpp"

#ifdef __linux__

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "descriptor.hpp"
#include "tap.hpp"

using zerocast::Descriptor;
using zerocast::limitUnread;
using zerocast::readUnread;
using zerocast::unreadBytes;
using zerocast::widenPipe;
using zerocast::test::Run;

namespace {

struct Pipe {
  Descriptor reader;
  Descriptor writer;
};

Pipe openPipe() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Pipe openSockets() {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

bool writes(const Descriptor& writer, int bytes) {
  std::array<char, 10'000> text{};
  const auto size = static_cast<std::size_t>(bytes);
  return ::write(writer.fd(), text.data(), size) == static_cast<ssize_t>(size);
}

bool reads(const Descriptor& reader, int bytes) {
  std::array<char, 10'000> text{};
  const auto size = static_cast<std::size_t>(bytes);
  return ::read(reader.fd(), text.data(), size) == static_cast<ssize_t>(size);
}

int receiveBuffer(const Descriptor& socket) {
  int value = -1;
  socklen_t bytes = sizeof value;
  ::getsockopt(socket.fd(), SOL_SOCKET, SO_RCVBUF, &value, &bytes);
  return value;
}

}  // namespace

int main() {
  Run run;

  run.it("counts what waits in a pipe and in a socket", [](Run& t) {
    for (const Pipe& pipe : {openPipe(), openSockets()}) {
      t.expect(unreadBytes(pipe.reader.fd()) == 0, "nothing at first");
      t.expect(writes(pipe.writer, 5000) && writes(pipe.writer, 77), "somebody writes");
      t.expect(unreadBytes(pipe.reader.fd()) == 5077, "all of it waits");
      t.expect(reads(pipe.reader, 1000), "some of it is read");
      t.expect(unreadBytes(pipe.reader.fd()) == 4077, "the rest waits");
    }
  });

  run.it("reads what is there without waiting, and tells the end", [](Run& t) {
    for (Pipe& pipe : std::array{openPipe(), openSockets()}) {
      ::fcntl(pipe.reader.fd(), F_SETFL, O_NONBLOCK);
      std::array<char, 4096> text{};
      t.expect(readUnread(pipe.reader.fd(), text.data(), text.size()) == -EAGAIN, "nothing at first");
      writes(pipe.writer, 5000);
      t.expect(readUnread(pipe.reader.fd(), text.data(), text.size()) == 4096, "as much as fits");
      t.expect(readUnread(pipe.reader.fd(), text.data(), text.size()) == 904, "then the rest");
      pipe.writer = Descriptor(-1);
      t.expect(readUnread(pipe.reader.fd(), text.data(), text.size()) == 0, "the end");
    }
  });

  run.it("makes a pipe smaller, never larger, and loses nothing", [](Run& t) {
    const Pipe pipe = openPipe();
    const int before = ::fcntl(pipe.reader.fd(), F_GETPIPE_SZ);
    t.expect(limitUnread(pipe.reader.fd(), 4 * before) == before, "a larger limit is no fault");
    t.expect(::fcntl(pipe.reader.fd(), F_GETPIPE_SZ) == before, "and changes nothing");
    for (int written = 0; written < 3; ++written) writes(pipe.writer, 10'000);
    t.expect(limitUnread(pipe.reader.fd(), 8192) == -EBUSY, "what waits does not fit");
    t.expect(unreadBytes(pipe.reader.fd()) == 30'000, "and still waits");
    for (int read = 0; read < 3; ++read) reads(pipe.reader, 10'000);
    t.expect(limitUnread(pipe.reader.fd(), 8192) == 8192, "an empty one is made smaller");
    t.expect(::fcntl(pipe.reader.fd(), F_GETPIPE_SZ) == 8192, "to what was asked for");
  });

  run.it("makes a pipe larger when asked, never smaller, and leaves sockets alone", [](Run& t) {
    const Pipe pipe = openPipe();
    const int before = ::fcntl(pipe.reader.fd(), F_GETPIPE_SZ);
    t.expect(widenPipe(pipe.reader.fd(), before / 2) == before, "it is large enough");
    t.expect(widenPipe(pipe.reader.fd(), before + 1) == 2 * before, "rounded up by the kernel");
    t.expect(::fcntl(pipe.reader.fd(), F_GETPIPE_SZ) == 2 * before, "and so it is");
    t.expect(widenPipe(openSockets().reader.fd(), 1'000'000) == -EBADF, "no pipe");
  });

  run.it("sets what a socket may hold; the kernel doubles it for its own needs", [](Run& t) {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    t.expect(limitUnread(socket.fd(), 50'000) == 50'000, "it is set");
    t.expect(receiveBuffer(socket) == 100'000, "to twice of it");
  });

  run.it("says what is wrong with a descriptor", [](Run& t) {
    t.expect(unreadBytes(-1) == -EBADF, "none");
    t.expect(limitUnread(-1, 5000) == -EBADF, "none");
    const Descriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    t.expect(unreadBytes(file.fd()) == -ENOTTY, "one that counts nothing");
    t.expect(limitUnread(file.fd(), 5000) == -ENOTSOCK, "neither pipe nor socket");
  });

  return run.finish();
}

#else

int main() { return 0; }

#endif
