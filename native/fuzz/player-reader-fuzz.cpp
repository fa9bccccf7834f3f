// Players that say anything, in pieces of any size, while Node writes now and then: every byte is
// answered or told, in order, once.

#include "player-reader.hpp"

#include <fcntl.h>

#include <deque>

#include "fuzz-kernel.hpp"
#include "little-endian.hpp"
#include "monotonic-clock.hpp"

using namespace zerocast;
using namespace zerocast::fuzz;

namespace {

constexpr std::int32_t maxPlayers = 4;

struct Player {
  std::int32_t word = 0;
  AudioSocket audio{Descriptor(open("/dev/null", O_RDWR | O_CLOEXEC)), Reservation(word),
                    Framing::tcp, {}};
  bool answers = true;
  bool isOver = false;
  // All that it has said; what of that was answered or told; where the message at that place began.
  std::vector<std::byte> said;
  std::size_t done = 0;
  std::size_t messageAt = 0;
  std::size_t heardBytes = 0;

  FuzzKernel::Socket& inKernel() const { return kernel.sockets[audio.fd()]; }

  void say(const std::vector<std::byte>& bytes) {
    said.insert(said.end(), bytes.begin(), bytes.end());
    auto& incoming = inKernel().incoming;
    incoming.insert(incoming.end(), bytes.begin(), bytes.end());
  }

  // The bytes of the message that begins at `messageAt`, as far as its header is there.
  [[nodiscard]] std::size_t messageBytes() const {
    const std::span message = std::span(said).subspan(messageAt);
    return message.size() < headerBytes ? headerBytes : headerBytes + readU32(message, 22);
  }

  void advance(std::size_t bytes) {
    done += bytes;
    check(done <= said.size(), "nothing is told that was not said");
    while (said.size() - messageAt >= headerBytes && messageAt + messageBytes() <= done) {
      messageAt += messageBytes();
    }
  }

  // Whether a usual Time request that was read and not dealt with yet is next.
  [[nodiscard]] bool asksNext() const {
    const std::size_t readBytes = said.size() - inKernel().incoming.size();
    const std::span next = std::span(said).first(readBytes).subspan(done);
    return done == messageAt && next.size() >= timeMessageBytes && readU16(next, 0) == 4 &&
           messageBytes() == timeMessageBytes;
  }

  void hear(std::span<const std::byte> replies) {
    check(replies.size() % timeMessageBytes == 0, "replies are whole");
    for (; !replies.empty(); replies = replies.subspan(timeMessageBytes)) {
      check(asksNext(), "only Time requests are answered, in order");
      check(readU16(replies, 0) == 4 && readU32(replies, 22) == 8, "by Time messages");
      check(readU16(replies, 2) == readU16(std::span(said).subspan(done), 2), "of that id");
      check(readU16(replies, 4) == readU16(replies, 2), "which they refer to");
      check(readU32(replies, 10) < 1'000'000 && readU32(replies, 30) < 1'000'000, "in range");
      advance(timeMessageBytes);
    }
  }

  void hearTold(std::span<const std::byte> bytes) {
    const std::span next = std::span(said).subspan(done);
    check(bytes.size() <= next.size(), "nothing is told that was not said");
    check(std::equal(bytes.begin(), bytes.end(), next.begin()), "it is told as it came");
    advance(bytes.size());
  }
};

struct Stage {
  Input& input;
  PlayerReader reader;
  // Words of reservations must stay where they are.
  std::deque<Player> players;
  PlayerEvents events;
  std::uint16_t nextId = 0;

  explicit Stage(Input& from) : input(from), reader(fuzzedCalls(from)) {
    const auto count = static_cast<std::int32_t>(1 + input.below(maxPlayers));
    for (std::int32_t name = 0; name < count; ++name) {
      players.emplace_back();
      begin(name);
    }
  }

  void begin(std::int32_t name) {
    Player& player = players[static_cast<std::size_t>(name)];
    player.answers = input.below(4) != 0;
    player.isOver = false;
    player.said.clear();
    player.done = player.messageAt = player.heardBytes = 0;
    player.word = 0;
    player.inKernel() = {};
    reader.begin(name, player.audio.fd(), player.answers);
    check(reader.reads(name) && reader.answeredUs(name) == 0, "it begins anew");
  }

  std::vector<std::byte> someBytes() {
    std::vector<std::byte> bytes(headerBytes + (input.flip() ? input.byte() : 0));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(input.hasMore() ? input.byte() : 1);
    switch (input.below(8)) {
      case 0:
        return bytes;
      case 1:
        bytes.resize(input.byte());
        return bytes;
      case 2:
        writeU32(bytes, 22, static_cast<std::uint32_t>(bytes.size() - headerBytes));
        writeU16(bytes, 0, static_cast<std::uint16_t>(input.below(16)));
        return bytes;
      default:
        return requests(1 + input.below(input.below(8) == 0 ? 256 : 4));
    }
  }

  std::vector<std::byte> requests(std::size_t count) {
    std::vector<std::byte> bytes(count * timeMessageBytes, std::byte{0x11});
    for (std::size_t index = 0; index < count; ++index) {
      const std::span request = std::span(bytes).subspan(index * timeMessageBytes);
      writeU16(request, 0, 4);
      writeU16(request, 2, nextId++);
      writeU32(request, 6, input.word());
      writeU32(request, 10, input.word());
      writeU32(request, 22, 8);
    }
    return bytes;
  }

  void pass() {
    reader.beginPass(readClocks());
    for (std::int32_t name = 0; name < static_cast<std::int32_t>(players.size()); ++name) {
      if (input.below(4) == 0 || !reader.reads(name)) continue;
      read(name, players[static_cast<std::size_t>(name)]);
    }
  }

  void read(std::int32_t name, Player& player) {
    const bool wasFree = player.word == 0;
    const std::size_t incoming = player.inKernel().incoming.size();
    const bool hasMore = reader.read(name, player.audio, input.flip());
    reader.takeEvents(events);
    const auto& wire = player.inKernel().wire;
    std::vector<std::byte> replies(
        wire.begin() + static_cast<std::ptrdiff_t>(player.heardBytes), wire.end());
    player.heardBytes = wire.size();
    check(wasFree || replies.empty(), "while Node writes nothing else does");
    hear(name, player, replies, wasFree);
    check(!hasMore || reader.reads(name), "who has ended has no more");
    if (!reader.reads(name)) player.isOver = true;
    check(incoming >= player.inKernel().incoming.size(), "it reads");
  }

  void hear(std::int32_t name, Player& player, std::vector<std::byte> replies, bool wasFree) {
    const bool isCut = !events.list.empty() && events.list.front().kind == PlayerEventKind::cut;
    if (isCut) {
      const auto rest = events.bytesOf(events.list.front());
      check(player.word == -1 && !rest.empty(), "the rest of replies holds the right to write");
      replies.insert(replies.end(), rest.begin(), rest.end());
      player.inKernel().wire.insert(player.inKernel().wire.end(), rest.begin(), rest.end());
      player.heardBytes += rest.size();
    }
    check(isCut || wasFree == (player.word == 0), "else it is as before");
    player.hear(replies);
    bool mayBeTold = !wasFree || isCut || !player.answers;
    for (std::size_t at = isCut ? 1 : 0; at < events.list.size(); ++at) {
      const PlayerEvent& event = events.list[at];
      check(event.socket == name && reader.isCurrent(event), "it is told of whom");
      check(event.receivedUs <= monotonicUs(), "nothing comes from the future");
      const bool isLast = at + 1 == events.list.size();
      if (event.kind == PlayerEventKind::messages) {
        check(mayBeTold || !player.asksNext(), "who may be answered is");
        player.hearTold(events.bytesOf(event));
        mayBeTold = true;
        continue;
      }
      check(event.kind != PlayerEventKind::cut && isLast, "the end is the last thing");
      const bool hasEnded = event.kind == PlayerEventKind::ended;
      check(!hasEnded || player.inKernel().hasEnded, "it ends when the peer does");
      check(!hasEnded || player.done == player.said.size(), "and behind all that was said");
    }
  }

  void act(std::int32_t name) {
    Player& player = players[static_cast<std::size_t>(name)];
    switch (input.below(6)) {
      case 0:
        if (!Reservation(player.word).tryRaise()) Reservation(player.word).release();
        return;
      case 1:
        if (player.word > 0) Reservation(player.word).lower();
        return;
      case 2:
        player.answers = input.flip();
        return reader.answer(name, player.answers);
      case 3:
        player.inKernel().hasEnded = input.flip();
        return;
      case 4:
        reader.end(name);
        check(!reader.reads(name), "what has ended is not read");
        return begin(name);
      default:
        // The kernel has no endless memory.
        if (!player.isOver && player.inKernel().incoming.size() < 200'000) player.say(someBytes());
    }
  }

  void step() {
    const std::uint32_t action = input.below(8);
    const auto name = static_cast<std::int32_t>(input.byte() % players.size());
    if (action < 3) return pass();
    if (action == 3) return act(name);
    Player& player = players[static_cast<std::size_t>(name)];
    if (!player.isOver && player.inKernel().incoming.size() < 200'000) player.say(someBytes());
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Stage stage(input);
  while (input.hasMore()) stage.step();
  return 0;
}
