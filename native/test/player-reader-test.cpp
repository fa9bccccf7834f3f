#include "player-reader.hpp"

#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <map>

#include "chunk-memory.hpp"
#include "fan-out-stage.hpp"
#include "monotonic-clock.hpp"
#include "player-messages.hpp"
#include "tap.hpp"

using namespace zerocast;
using namespace zerocast::test;

namespace {

using Peer = FanOutStage::Peer;
using Kinds = std::vector<PlayerEventKind>;

// What one player can say in a pass.
constexpr std::size_t passBytes = PlayerReader::maxReadsPerPass * PlayerReader::bufferBytes;

const Bytes info = messageOf(clientInfoType, 9, 40);

// Players, as the binding has them.
struct PlayerStage : FanOutStage {
  PlayerEvents events;

  explicit PlayerStage(ZeroCopyRules rules = {}) : FanOutStage(rules) {}

  Peer& join(bool answers = true) {
    Peer& peer = connect();
    const int on = 1;
    setsockopt(peer.receiver().fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    static_cast<void>(fanOut.readPlayer(peer.socket, answers));
    return peer;
  }

  // One pass, once there is something to read; what it tells is in `events`.
  bool pass() {
    if (!awaitNews(fanOut.watchedFd())) return false;
    readNow();
    return true;
  }

  void readNow() {
    fanOut.readReady();
    fanOut.takeEvents(events);
  }

  [[nodiscard]] Kinds kinds() const {
    Kinds kinds;
    for (const PlayerEvent& event : events.list) kinds.push_back(event.kind);
    return kinds;
  }

  // Everything of all events, in their order.
  [[nodiscard]] Bytes told() const { return events.bytes; }
  [[nodiscard]] bool isAsleep() const { return !awaitNews(fanOut.watchedFd(), POLLIN, 0); }
};

// All of it has arrived, for one read.
bool say(const Peer& peer, std::span<const std::byte> bytes) {
  const ssize_t sent = send(peer.receiver().fd(), bytes.data(), bytes.size(), 0);
  if (sent != static_cast<ssize_t>(bytes.size())) return false;
  for (int look = 0; look < patienceMs; ++look) {
    int unread = 0;
    if (ioctl(peer.connection.sender.fd(), FIONREAD, &unread) != 0) return false;
    if (unread >= static_cast<int>(std::min<std::size_t>(bytes.size(), 30'000))) return true;
    usleep(1000);
  }
  return false;
}

std::vector<std::uint16_t> repliesTo(const Peer& peer, std::size_t count) {
  return repliedIds(receive(peer.receiver(), count * timeMessageBytes));
}

void testReplies(Run& run) {
  run.it("answers a request, with stamps of the monotonic clock", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join();
    t.expect(stage.fanOut.answeredUs(peer.socket) == 0, "nothing was answered yet");
    const std::int64_t beforeUs = monotonicUs();
    t.expect(say(peer, timeRequest(77)) && stage.pass(), "it asks");
    const Bytes reply = receive(peer.receiver(), timeMessageBytes);
    const std::int64_t afterUs = monotonicUs();
    t.expect(repliedIds(reply) == idsFrom(77, 1), "it is answered");
    const std::int64_t sentUs = timeUsOf(reply, 6);
    const std::int64_t receivedUs = timeUsOf(reply, 14);
    t.expect(beforeUs <= receivedUs + ArrivalClock::maxDriftUs, "received is not early");
    t.expect(receivedUs <= sentUs && sentUs <= afterUs, "nor later than sent");
    t.expect(timeUsOf(reply, 26) == receivedUs - 5'250'000, "latency fits");
    t.expect(stage.fanOut.answeredUs(peer.socket) == receivedUs, "it is a sign of life");
    t.expect(stage.fanOut.askedUs(peer.socket) == 5'250'000, "with what its clock has shown");
    t.expect(stage.events.list.empty() && peer.word == 0, "and the caller has nothing to do");
    t.expect(stage.isAsleep(), "the event loop can sleep");
  });

  run.it("says when a request came, not when it was read", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join();
    // Stamps begin a moment after the first socket asks for them, and one says nothing where a look at the clocks was
    // interrupted since.
    bool isTold = false;
    for (std::uint16_t id = 0; id < patienceMs / 10 && !isTold; ++id) {
      const std::int64_t beforeUs = monotonicUs();
      t.expect(say(peer, timeRequest(id)), "it asks");
      const std::int64_t saidUs = monotonicUs();
      usleep(10'000);
      const std::int64_t waitUs = monotonicUs() - saidUs - ArrivalClock::maxDriftUs;
      t.expect(stage.pass(), "and waits");
      const Bytes reply = receive(peer.receiver(), timeMessageBytes);
      const std::int64_t toldUs = timeUsOf(reply, 6) - timeUsOf(reply, 14);
      t.expect(toldUs >= 0, "it came before it was answered");
      t.expect(toldUs <= monotonicUs() - beforeUs + ArrivalClock::maxDriftUs, "and not before it was sent");
      isTold = toldUs >= waitUs;
    }
    t.expect(isTold, "the wait is not part of it");
  });

  run.it("answers what one read brings by one send, in order", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join();
    t.expect(say(peer, timeRequests(500, 800)), "it asks often");
    t.expect(stage.pass() && kernel.plain == 1 && kernel.reads == 1, "one read, one send");
    t.expect(repliesTo(peer, 800) == idsFrom(500, 800), "all are answered in order");
  });

  run.it("answers a request that is cut anywhere once it is whole", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join();
    const Bytes request = timeRequest(3);
    for (std::size_t cut = 1; cut < request.size(); ++cut) {
      t.expect(say(peer, std::span(request).first(cut)) && stage.pass(), "the beginning");
      t.expect(hasNothing(peer.receiver()) && stage.events.list.empty(), "is no request");
      t.expect(say(peer, std::span(request).subspan(cut)) && stage.pass(), "the rest");
      t.expect(repliesTo(peer, 1) == idsFrom(3, 1), "makes it one");
    }
  });
}

void testOthers(Run& run) {
  run.it("leaves everything else to the caller, with the time of its arrival", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join();
    const std::int64_t beforeUs = monotonicUs();
    t.expect(say(peer, info + messageOf(99, 1, 0)) && stage.pass(), "it says something");
    t.expect(stage.kinds() == Kinds{PlayerEventKind::messages}, "in one piece");
    t.expect(stage.told() == info + messageOf(99, 1, 0), "as it came");
    const PlayerEvent& event = stage.events.list.front();
    t.expect(event.socket == peer.socket && stage.fanOut.isCurrent(event), "from whom");
    t.expect(event.receivedUs >= beforeUs - ArrivalClock::maxDriftUs, "and when");
    t.expect(event.receivedUs <= monotonicUs(), "it is not of the future");
  });

  run.it("answers what stands in front, and leaves what stands behind", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join();
    t.expect(say(peer, timeRequests(1, 2) + info + timeRequests(3, 2) + info), "it says a lot");
    t.expect(stage.pass() && repliesTo(peer, 2) == idsFrom(1, 2), "two are answered");
    t.expect(stage.told() == info + timeRequests(3, 2) + info, "the rest does not overtake");
    t.expect(say(peer, timeRequest(5)) && stage.pass(), "afterwards");
    t.expect(repliesTo(peer, 1) == idsFrom(5, 1), "it is answered as before");
  });

  run.it("leaves a request behind a message whose end comes with it", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join();
    t.expect(say(peer, std::span(info).first(30)) && stage.pass(), "the beginning");
    t.expect(say(peer, Bytes(info.begin() + 30, info.end()) + timeRequest(1)), "the end");
    t.expect(stage.pass() && stage.kinds() == Kinds{PlayerEventKind::messages}, "is told");
    t.expect(stage.told() == Bytes(info.begin() + 30, info.end()) + timeRequest(1), "in order");
    t.expect(hasNothing(peer.receiver()), "nothing overtakes");
  });

  run.it("leaves all requests while it is not to answer", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join(false);
    t.expect(say(peer, timeRequests(1, 2)) && stage.pass(), "it asks");
    t.expect(stage.told() == timeRequests(1, 2) && hasNothing(peer.receiver()), "that is told");
    stage.fanOut.answerPlayer(peer.socket, true);
    t.expect(say(peer, timeRequest(3)) && stage.pass(), "it asks again");
    t.expect(stage.told().empty() && repliesTo(peer, 1) == idsFrom(3, 1), "and is answered");
    stage.fanOut.answerPlayer(peer.socket, false);
    t.expect(say(peer, timeRequest(4)) && stage.pass(), "it asks once more");
    t.expect(stage.told() == timeRequest(4), "in vain");
    t.expect(stage.fanOut.answeredUs(peer.socket) > 0, "the last sign of life stays");
  });
}

void testReservations(Run& run) {
  run.it("leaves requests to the caller while Node writes, in front of what follows", [](Run& t) {
    PlayerStage stage;
    Peer& peer = stage.join();
    t.expect(Reservation(peer.word).tryRaise(), "Node writes");
    t.expect(say(peer, timeRequests(1, 3) + info) && stage.pass(), "it asks");
    t.expect(stage.told() == timeRequests(1, 3) + info, "in order");
    t.expect(stage.kinds() == Kinds{PlayerEventKind::messages} && peer.word == 1, "at once");
    t.expect(hasNothing(peer.receiver()) && kernel.plain == 0, "nothing is written in between");
    Reservation(peer.word).lower();
    t.expect(say(peer, timeRequest(4)) && stage.pass(), "afterwards");
    t.expect(repliesTo(peer, 1) == idsFrom(4, 1), "it is answered");
  });

  for (const std::size_t taken : {1, 33, 34, 50, 67}) {
    run.it("hands on the rest of replies after " + std::to_string(taken) + " bytes", [=](Run& t) {
      PlayerStage stage;
      Peer& peer = stage.join();
      kernel.answers = {{0, taken}};
      t.expect(say(peer, timeRequests(1, 2) + info + timeRequest(3)) && stage.pass(), "it asks");
      t.expect((stage.kinds() == Kinds{PlayerEventKind::cut, PlayerEventKind::messages}),
               "the rest comes first");
      const PlayerEvent& cut = stage.events.list.front();
      const auto rest = stage.events.bytesOf(cut);
      t.expect(repliedIds(receive(peer.receiver(), taken) + rest) == idsFrom(1, 2), "it fits");
      t.expect(peer.word == -1, "the right to write is held for it");
      t.expect(say(peer, timeRequest(4)) && stage.pass(), "what is asked meanwhile");
      t.expect(stage.told() == timeRequest(4), "waits for it");
      Reservation(peer.word).release();
      t.expect(say(peer, timeRequest(5)) && stage.pass(), "afterwards");
      t.expect(repliesTo(peer, 1) == idsFrom(5, 1), "it is answered");
    });
  }

  run.it("hands on all replies when the kernel takes none", [](Run& t) {
    PlayerStage stage;
    Peer& peer = stage.join();
    kernel.answers = {{EAGAIN, 0}};
    t.expect(say(peer, timeRequests(1, 2)) && stage.pass(), "it asks");
    t.expect(stage.kinds() == Kinds{PlayerEventKind::cut} && peer.word == -1, "it is held");
    t.expect(repliedIds(stage.told()) == idsFrom(1, 2), "all are there");
  });

  run.it("is overtaken by no audio, and overtakes none", [](Run& t) {
    const ChunkMemory memory(std::vector<std::uint32_t>(16, 16 * 1024));
    PlayerStage stage;
    Peer& peer = stage.join();
    static_cast<void>(stage.fill(memory, peer));
    t.expect(peer.word == -1, "a chunk is cut");
    t.expect(say(peer, timeRequest(1)) && stage.pass(), "it asks");
    t.expect(stage.told() == timeRequest(1), "the reply waits");
  });
}

void testEnds(Run& run) {
  run.it("tells the end behind all that was said", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join();
    t.expect(say(peer, timeRequest(1) + info), "it says something");
    shutdown(peer.receiver().fd(), SHUT_WR);
    t.expect(stage.pass(), "and no more");
    while (stage.kinds().back() != PlayerEventKind::ended && stage.pass()) {
    }
    t.expect(repliesTo(peer, 1) == idsFrom(1, 1), "what it asked is answered");
    t.expect(stage.events.list.back().kind == PlayerEventKind::ended, "then it ends");
    t.expect(stage.isAsleep(), "once");
  });

  run.it("tells what was cut in front of the end", [](Run& t) {
    PlayerStage stage;
    Peer& peer = stage.join();
    const Bytes request = timeRequest(1);
    t.expect(say(peer, std::span(request).first(10)) && stage.pass(), "it begins");
    t.expect(stage.events.list.empty(), "that is kept");
    closeSocket(peer.connection.receiver);
    t.expect(stage.pass(), "and leaves");
    t.expect((stage.kinds() == Kinds{PlayerEventKind::messages, PlayerEventKind::ended}), "both");
    t.expect(stage.told() == Bytes(request.begin(), request.begin() + 10), "it was in the middle");
  });

  run.it("tells the error of a connection that breaks", [](Run& t) {
    PlayerStage stage;
    Peer& peer = stage.join();
    resetConnection(peer.connection.receiver);
    t.expect(stage.pass() && stage.kinds() == Kinds{PlayerEventKind::readFailed}, "it breaks");
    t.expect(stage.events.list.front().error == ECONNRESET, "by a reset");
    t.expect(stage.isAsleep(), "it is told once");
  });

  run.it("tells any other error of a read, and does not read again", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join();
    kernel.readErrors = {EINTR, ETIMEDOUT};
    t.expect(say(peer, timeRequest(1)) && stage.pass(), "it asks");
    t.expect(stage.kinds() == Kinds{PlayerEventKind::readFailed}, "in vain");
    t.expect(stage.events.list.front().error == ETIMEDOUT && kernel.reads == 2, "its peer is gone");
    t.expect(say(peer, timeRequest(2)) && stage.pass() && stage.events.list.empty(), "that is all");
  });

  run.it("tells the error of a reply, and gives the right to write back", [](Run& t) {
    PlayerStage stage;
    Peer& peer = stage.join();
    kernel.answers = {{EPIPE, 0}};
    t.expect(say(peer, timeRequest(1) + info) && stage.pass(), "it asks");
    t.expect(stage.kinds() == Kinds{PlayerEventKind::writeFailed}, "in vain");
    t.expect(stage.events.list.front().error == EPIPE && peer.word == 0, "nothing is held");
  });

  run.it("reads behind urgent data", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join();
    t.expect(say(peer, timeRequest(1)), "it asks");
    t.expect(send(peer.receiver().fd(), "!", 1, MSG_OOB) == 1, "it is urgent");
    t.expect(say(peer, timeRequest(2)) && awaitNews(peer.connection.sender.fd()), "and asks again");
    usleep(10'000);
    t.expect(stage.pass() && repliesTo(peer, 2) == idsFrom(1, 2), "both are answered");
  });
}

void testMany(Run& run) {
  run.it("reads 64 players per pass, each once before any twice", [](Run& t) {
    constexpr std::size_t count = 150;
    PlayerStage stage;
    std::vector<const Peer*> all;
    for (std::size_t index = 0; index < count; ++index) all.push_back(&stage.join());
    for (const Peer* peer : all) t.expect(say(*peer, timeRequest(1)), "all ask");
    std::size_t answered = 0;
    for (const std::size_t most : {64, 64, 22}) {
      t.expect(stage.pass(), "there is more to read");
      std::size_t now = 0;
      for (const Peer* peer : all) now += hasNothing(peer->receiver()) ? 0 : 1;
      t.expect(now - answered == most, "so many at once");
      answered = now;
      // Who is quick asks again.
      for (const Peer* peer : all) {
        if (answered < count && !hasNothing(peer->receiver())) {
          t.expect(say(*peer, timeRequest(2)), "it asks again");
        }
      }
    }
    while (!stage.isAsleep()) stage.readNow();
    for (const Peer* peer : all) t.expect(repliesTo(*peer, 1) == idsFrom(1, 1), "none is left out");
  });

  run.it("lets who says much come after the others", [](Run& t) {
    PlayerStage stage;
    Peer& loud = stage.join();
    const Peer& quiet = stage.join();
    const int room = 4 * 1024 * 1024;
    setsockopt(loud.connection.sender.fd(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    const Bytes flood = messageOf(1, 0, 3 * passBytes);
    std::size_t sent = 0;
    const auto pour = [&] {
      while (sent < flood.size()) {
        const ssize_t more =
            send(loud.receiver().fd(), flood.data() + sent, flood.size() - sent, MSG_DONTWAIT);
        if (more <= 0) break;
        sent += static_cast<std::size_t>(more);
      }
    };
    std::size_t told = 0;
    bool isAnswered = false;
    pour();
    t.expect(say(quiet, timeRequest(1)), "the other one asks");
    for (int pass = 0; pass < 3 && !isAnswered && stage.pass(); ++pass) {
      t.expect(stage.told().size() <= passBytes, "each pass takes a share");
      told += stage.told().size();
      isAnswered = !hasNothing(quiet.receiver());
      pour();
    }
    t.expect(isAnswered, "and does not wait");
    while (told < flood.size() && stage.pass()) {
      told += stage.told().size();
      pour();
    }
    t.expect(told == flood.size(), "nothing is lost");
  });

  run.it("gives each player one read when a pass has brought much", [](Run& t) {
    constexpr std::size_t loudOnes = 12;
    PlayerStage stage;
    const Bytes flood = messageOf(1, 0, passBytes + 1000);
    for (std::size_t index = 0; index < loudOnes; ++index) {
      Peer& peer = stage.join();
      const int room = 4 * 1024 * 1024;
      setsockopt(peer.connection.sender.fd(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
      setsockopt(peer.receiver().fd(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
      static_cast<void>(send(peer.receiver().fd(), flood.data(), flood.size(), MSG_DONTWAIT));
    }
    usleep(50'000);
    t.expect(stage.pass(), "there is much to read");
    t.expect(stage.told().size() <= PlayerReader::maxBytesPerPass + passBytes +
                                        loudOnes * PlayerReader::bufferBytes,
             "a pass has a limit");
    std::map<std::int32_t, std::size_t> heard;
    for (const PlayerEvent& event : stage.events.list) heard[event.socket] += event.byteCount;
    t.expect(heard.size() == loudOnes, "and everybody a share");
  });
}

void testNumbers(Run& run) {
  run.it("takes no event of a socket for one of its successor", [](Run& t) {
    PlayerStage stage;
    Peer& first = stage.join();
    Peer& second = stage.join();
    t.expect(say(first, info) && say(second, info), "both speak");
    while (stage.events.list.size() < 2 && stage.pass()) {
    }
    const PlayerEvents told = stage.events;
    t.expect(told.list.size() == 2, "that is told");
    // As a callback for the first event might do.
    const PlayerEvent& later = told.list[1];
    t.expect(stage.fanOut.isCurrent(later), "it is there");
    stage.fanOut.remove(later.socket, 0);
    t.expect(!stage.fanOut.isCurrent(later), "it has ended");
    const Peer& successor = stage.join();
    t.expect(successor.socket == later.socket, "another one has its number");
    t.expect(!stage.fanOut.isCurrent(later), "but is another one");
    t.expect(stage.fanOut.isCurrent(told.list[0]), "the first is still there");
    t.expect(say(successor, timeRequest(1)) && stage.pass(), "the successor asks");
    t.expect(repliesTo(successor, 1) == idsFrom(1, 1), "and is answered");
  });

  run.it("begins a new player without the rest of the one before", [](Run& t) {
    PlayerStage stage;
    Peer& first = stage.join();
    t.expect(say(first, timeRequest(1)) && stage.pass(), "it asks");
    const Bytes request = timeRequest(1);
    t.expect(say(first, std::span(request).first(20)) && stage.pass(), "it is cut");
    stage.fanOut.remove(first.socket, 0);
    t.expect(stage.fanOut.answeredUs(first.socket) == 0, "it is forgotten");
    const Peer& next = stage.join();
    t.expect(next.socket == first.socket && say(next, timeRequest(2)) && stage.pass(), "the next");
    t.expect(repliesTo(next, 1) == idsFrom(2, 1), "is read from its first byte");
  });

  run.it("refuses sockets that it does not know, and tells nothing of them", [](Run& t) {
    PlayerStage stage;
    t.expect(stage.fanOut.readPlayer(0, true) == -EINVAL, "none");
    t.expect(stage.fanOut.readPlayer(-1, true) == -EINVAL, "no number");
    stage.fanOut.answerPlayer(5, true);
    t.expect(stage.fanOut.answeredUs(5) == 0 && stage.fanOut.answeredUs(-1) == 0, "no sign");
  });

  run.it("tells nothing of players that nobody reads any more", [](Run& t) {
    PlayerStage stage;
    const Peer& peer = stage.join();
    t.expect(say(peer, info) && awaitNews(stage.fanOut.watchedFd()), "it speaks");
    stage.fanOut.close();
    stage.readNow();
    t.expect(stage.events.list.empty(), "nobody listens");
  });
}

void testZeroCopy(Run& run) {
  run.it("keeps what players say for the next pass while audio is delivered", [](Run& t) {
    const ChunkMemory memory({4000, 4000});
    PlayerStage stage(ZeroCopyRules{true, 1, ZeroCopyMode::always});
    const Peer& speaker = stage.join();
    const Peer& listener = stage.join();
    t.expect(say(speaker, timeRequest(1)), "one asks");
    for (int turn = 0; turn < 3; ++turn) {
      t.expect(stage.sendAll(memory, listener), "another one gets audio");
      t.expect(receive(listener.receiver(), 8000).size() == 8000, "all of it");
    }
    t.expect(hasNothing(speaker.receiver()) && kernel.reads == 0, "nothing was read meanwhile");
    t.expect(stage.pass() && repliesTo(speaker, 1) == idsFrom(1, 1), "the question is not lost");
    t.expect(stage.awaitCompleted(listener), "nor are the completions");
    t.expect(stage.released().size() == 2, "the pool is full");
  });

  run.it("reads completions and requests of one socket, whichever come first", [](Run& t) {
    const ChunkMemory memory({4000, 4000});
    PlayerStage stage(ZeroCopyRules{true, 1, ZeroCopyMode::always});
    const Peer& peer = stage.join();
    for (std::uint16_t id = 1; id <= 20; ++id) {
      if (id % 2 == 0) t.expect(say(peer, timeRequest(id)), "it asks before");
      t.expect(stage.sendAll(memory, peer), "it gets audio");
      if (id % 2 == 1) t.expect(say(peer, timeRequest(id)), "it asks afterwards");
      Bytes heard;
      while (heard.size() < 8000 + timeMessageBytes && stage.pass()) {
        heard = std::move(heard) + receive(peer.receiver(), 8000 + timeMessageBytes - heard.size());
      }
      t.expect(heard.size() == 8000 + timeMessageBytes, "both come");
      t.expect(repliedIds(std::span(heard).subspan(8000)) == idsFrom(id, 1), "in order");
    }
    while (stage.fanOut.find(peer.socket)->outstanding() > 0 && stage.pass()) {
    }
    t.expect(stage.released().size() == 2, "the pool is full");
  });

  run.it("does not read a closed socket that lingers", [](Run& t) {
    const ChunkMemory memory(std::vector<std::uint32_t>(16, 16 * 1024));
    PlayerStage stage(ZeroCopyRules{true, 1, ZeroCopyMode::always});
    const Peer& peer = stage.join();
    static_cast<void>(stage.fill(memory, peer));
    stage.fanOut.remove(peer.socket, 0);
    t.expect(stage.fanOut.lingering() == 1, "it has chunks in flight");
    t.expect(say(peer, timeRequest(1) + info), "its peer talks");
    stage.readNow();
    t.expect(stage.events.list.empty() && kernel.reads == 0, "nobody listens");
    t.expect(stage.isAsleep(), "the event loop can sleep");
    stage.fanOut.abandon();
    t.expect(stage.released().size() == 16, "the pool is full");
  });
}

}  // namespace

int main() {
  Run run;
  testReplies(run);
  testOthers(run);
  testReservations(run);
  testEnds(run);
  testMany(run);
  testNumbers(run);
  testZeroCopy(run);
  return run.finish();
}
