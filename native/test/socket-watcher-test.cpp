#include "socket-watcher.hpp"

#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "error-queue.hpp"
#include "slab.hpp"
#include "socket-pair.hpp"
#include "tap.hpp"

using zerocast::CompletionRange;
using zerocast::readCompletions;
using zerocast::Slab;
using zerocast::SocketNews;
using zerocast::SocketWatcher;
using zerocast::SystemCalls;
using namespace zerocast::test;

namespace {

using Names = std::vector<std::uint32_t>;

constexpr std::size_t sendBytes = 4096;

Names fetch(SocketWatcher& watcher) {
  Names names;
  watcher.fetch([&names](const SocketNews& news) { names.push_back(news.name); });
  return names;
}

// Waits for news; none when nothing comes.
Names awaitFetch(SocketWatcher& watcher) {
  return awaitNews(watcher.fd()) ? fetch(watcher) : Names{};
}

bool isReadable(const SocketWatcher& watcher) { return awaitNews(watcher.fd(), POLLIN, 0); }

bool drain(const Connection& connection) {
  return readCompletions(connection.sender.fd(), SystemCalls{}, [](const CompletionRange&) {}) > 0;
}

// Has one more zero-copy send completed.
bool complete(const Connection& connection, const Slab& slab) {
  iovec piece{slab.data(), sendBytes};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  return sendmsg(connection.sender.fd(), &message, MSG_ZEROCOPY) == ssize_t{sendBytes} &&
         receive(connection.receiver, sendBytes).size() == sendBytes &&
         awaitNews(connection.sender.fd(), 0);
}

SocketNews awaitLook(SocketWatcher& watcher) {
  SocketNews seen{0, 0};
  if (awaitNews(watcher.fd())) watcher.fetch([&seen](const SocketNews& news) { seen = news; });
  return seen;
}

bool say(const Connection& connection, std::string_view text) {
  const auto size = static_cast<ssize_t>(text.size());
  return send(connection.receiver.fd(), text.data(), text.size(), 0) == size;
}

struct Stage {
  std::optional<Connection> connection = connectIpv4();
  std::optional<Slab> slab = Slab::allocate(sendBytes);
  SocketWatcher watcher;

  [[nodiscard]] int fd() const { return connection->sender.fd(); }
  [[nodiscard]] bool complete() const { return ::complete(*connection, *slab); }
};

void testNews(Run& run) {
  run.it("tells once of a completion, read or not", [](Run& t) {
    Stage stage;
    t.expect(stage.watcher.add(stage.fd(), 7), "it watches");
    t.expect(fetch(stage.watcher).empty() && !isReadable(stage.watcher), "there is nothing yet");
    t.expect(stage.complete(), "a send is completed");
    t.expect(awaitFetch(stage.watcher) == Names{7}, "it is told by name");
    for (int look = 0; look < 100; ++look) {
      t.expect(fetch(stage.watcher).empty(), "and not again");
      t.expect(!isReadable(stage.watcher), "the event loop can sleep");
    }
    t.expect(awaitNews(stage.fd(), 0, 0), "although nobody has read it");
  });

  run.it("tells again when there is more, after a drain or without one", [](Run& t) {
    Stage stage;
    t.expect(stage.watcher.add(stage.fd(), 7), "it watches");
    t.expect(stage.complete() && awaitFetch(stage.watcher) == Names{7}, "the first");
    t.expect(drain(*stage.connection) && fetch(stage.watcher).empty(), "no news after a drain");
    t.expect(!isReadable(stage.watcher), "the event loop can sleep");
    t.expect(stage.complete() && awaitFetch(stage.watcher) == Names{7}, "the second");
    t.expect(stage.complete() && awaitFetch(stage.watcher) == Names{7}, "the third");
  });

  run.it("tells of completions that came before it watched", [](Run& t) {
    Stage stage;
    t.expect(stage.complete() && stage.watcher.add(stage.fd(), 3), "it comes late");
    t.expect(awaitFetch(stage.watcher) == Names{3}, "and tells");
  });

  run.it("is not woken by what the peer sends unless it is asked, nor by room to send", [](Run& t) {
    Stage stage;
    t.expect(stage.watcher.add(stage.fd(), 7), "it watches");
    t.expect(send(stage.connection->receiver.fd(), "hello", 5, 0) == 5, "the peer sends");
    t.expect(awaitNews(stage.fd()), "it arrives");
    t.expect(!isReadable(stage.watcher) && fetch(stage.watcher).empty(), "it is no news");
  });
}

void testInput(Run& run) {
  run.it("tells of completions and of input, and which of them", [](Run& t) {
    Stage stage;
    t.expect(stage.watcher.add(stage.fd(), 7), "it watches completions");
    t.expect(stage.watcher.addInput(stage.fd(), 7), "and input");
    t.expect(stage.complete() && awaitNews(stage.watcher.fd()), "a send is completed");
    t.expect(awaitLook(stage.watcher).hasError(), "that is told");
    t.expect(drain(*stage.connection) && !isReadable(stage.watcher), "once");
    t.expect(say(*stage.connection, "hello"), "the peer sends");
    const SocketNews input = awaitLook(stage.watcher);
    t.expect(input.name == 7 && input.hasInput() && !input.isEnding(), "that is told, too");
    t.expect(!isReadable(stage.watcher), "once");
    t.expect(say(*stage.connection, "more"), "the peer goes on");
    t.expect(awaitLook(stage.watcher).hasInput(), "it is told again");
    shutdown(stage.connection->receiver.fd(), SHUT_WR);
    const SocketNews end = awaitLook(stage.watcher);
    t.expect(end.hasInput() && end.isEnding(), "and so is the end");
  });

  run.it("tells of input that came before it watched, and of urgent data", [](Run& t) {
    Stage stage;
    t.expect(say(*stage.connection, "hello") && awaitNews(stage.fd()), "the peer is early");
    t.expect(stage.watcher.addInput(stage.fd(), 3), "it comes late");
    t.expect(awaitLook(stage.watcher).hasInput(), "and tells");
    t.expect(send(stage.connection->receiver.fd(), "!", 1, MSG_OOB) == 1, "the peer is urgent");
    t.expect(awaitLook(stage.watcher).isEnding(), "the reader must look for more");
  });

  run.it("tells again when asked to, after the news of others", [](Run& t) {
    SocketWatcher watcher;
    std::vector<Connection> connections;
    for (std::uint32_t name = 0; name < 3; ++name) {
      connections.push_back(std::move(*connectIpv4()));
      t.expect(watcher.addInput(connections.back().sender.fd(), name), "it watches");
    }
    t.expect(say(connections[0], "a") && awaitFetch(watcher) == Names{0}, "the first speaks");
    t.expect(say(connections[1], "b") && awaitNews(connections[1].sender.fd()), "the second");
    watcher.tellAgain(connections[0].sender.fd(), 0);
    t.expect(say(connections[2], "c") && awaitNews(connections[2].sender.fd()), "the third");
    t.expect(fetch(watcher) == Names{1, 0, 2}, "each in its turn");
  });
}

void testMembership(Run& run) {
  run.it("tells of more sockets than one look brings, each once", [](Run& t) {
    constexpr std::size_t count = SocketWatcher::maxNews + 44;
    SocketWatcher watcher;
    const auto slab = Slab::allocate(sendBytes);
    std::vector<Connection> connections;
    for (std::uint32_t name = 0; name < count; ++name) {
      auto connection = connectIpv4();
      if (!connection) break;
      t.expect(watcher.add(connection->sender.fd(), name), "it watches");
      t.expect(complete(*connection, *slab), "a send is completed");
      connections.push_back(std::move(*connection));
    }
    t.expect(connections.size() == count, "there are so many");
    Names told = fetch(watcher);
    t.expect(told.size() == SocketWatcher::maxNews && isReadable(watcher), "there are more");
    for (const std::uint32_t name : fetch(watcher)) told.push_back(name);
    t.expect(told.size() == count, "the next look brings the rest");
    std::vector<bool> seen(count);
    for (const std::uint32_t name : told) seen.at(name) = true;
    for (const bool one : seen) t.expect(one, "none is missing");
    t.expect(fetch(watcher).empty() && !isReadable(watcher), "and no more");
  });

  run.it("is silent about a removed socket, also while another number keeps it open", [](Run& t) {
    Stage stage;
    Socket other(dup(stage.fd()));
    t.expect(stage.watcher.add(other.fd(), 7), "it watches");
    t.expect(stage.complete() && isReadable(stage.watcher), "there is news");
    stage.watcher.remove(other.fd());
    t.expect(!isReadable(stage.watcher) && fetch(stage.watcher).empty(), "it is gone");
    closeSocket(other);
    t.expect(drain(*stage.connection) && stage.complete(), "another send is completed");
    t.expect(!isReadable(stage.watcher) && fetch(stage.watcher).empty(), "nobody is told");
    t.expect(stage.watcher.add(stage.fd(), 8), "the socket can come back");
    t.expect(awaitFetch(stage.watcher) == Names{8}, "by a new name");
  });

  run.it("refuses what it cannot watch, and takes the removal of strangers", [](Run& t) {
    Stage stage;
    t.expect(!stage.watcher.add(-1, 1), "no descriptor");
    t.expect(stage.watcher.add(stage.fd(), 1) && !stage.watcher.add(stage.fd(), 2), "twice");
    stage.watcher.remove(-1);
    stage.watcher.remove(stage.connection->receiver.fd());
    t.expect(stage.complete() && awaitFetch(stage.watcher) == Names{1}, "the first name stays");
  });
}

}  // namespace

int main() {
  // A watcher that tells the same again and again would never end.
  alarm(60);
  Run run;
  testNews(run);
  testInput(run);
  testMembership(run);
  return run.finish();
}
