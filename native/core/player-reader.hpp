#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "arrival-clock.hpp"
#include "audio-socket.hpp"
#include "message-framing.hpp"
#include "system-calls.hpp"

namespace zerocast {

// What the caller is told about a player.
//
// `messages`: bytes as they came, in order; all Time requests in front of them are answered.
// `cut`: replies of which the kernel took only a part; these bytes are the rest, and the
// reservation stays held until the caller has seen them through. `ended`: the peer says no more.
// `readFailed`, `writeFailed`: the connection is broken, `error` is the error number. Nothing is
// read after the last three.
enum class PlayerEventKind : std::int32_t { messages, cut, ended, readFailed, writeFailed };

struct PlayerEvent {
  std::int32_t socket;
  // Tells a socket from those that had its number before.
  std::uint32_t serial;
  PlayerEventKind kind;
  std::int32_t error;
  // When the bytes came, by the monotonic clock, microseconds.
  std::int64_t receivedUs;
  // Where the bytes lie in those of all events.
  std::size_t firstByte;
  std::size_t byteCount;
};

struct PlayerEvents {
  std::vector<PlayerEvent> list;
  std::vector<std::byte> bytes;

  [[nodiscard]] std::span<const std::byte> bytesOf(const PlayerEvent& event) const noexcept {
    return std::span(bytes).subspan(event.firstByte, event.byteCount);
  }
};

// Reads the sockets of players and answers their Time requests; everything else, and requests that
// come behind something else in the same pass, or while Node writes, is left to the caller.
//
// Ownership: none of the sockets.
// Threads: one.
class PlayerReader {
 public:
  // What one read may bring.
  static constexpr std::size_t bufferBytes = 64 * 1024;
  // Whoever has more to say comes after the others.
  static constexpr int maxReadsPerPass = 4;
  // When a pass has brought so much, each player that is still to come gets one read.
  static constexpr std::size_t maxBytesPerPass = 1024 * 1024;

  explicit PlayerReader(SystemCalls calls) : calls_(calls) {}

  // From now on `socket` may be read. Unless it `answers`, Time requests are left to the caller.
  void begin(std::int32_t socket, int fd, bool answers);
  void end(std::int32_t socket) noexcept;
  void answer(std::int32_t socket, bool answers) noexcept;
  [[nodiscard]] bool reads(std::int32_t socket) const noexcept;

  // Everything that was told before is done.
  void beginPass(const ClockReading& clocks) noexcept;
  // Reads what has come, up to the end or the error when `isEnding`; returns whether there may be
  // more.
  [[nodiscard]] bool read(std::int32_t socket, const AudioSocket& into, bool isEnding);

  // Moves what is to be told into `events`, whose memory is used again.
  void takeEvents(PlayerEvents& events);
  // False when the socket has ended since, also if another one has its number.
  [[nodiscard]] bool isCurrent(const PlayerEvent& event) const noexcept;

  // When the newest request came that was answered here; 0 before the first.
  [[nodiscard]] std::int64_t answeredUs(std::int32_t socket) const noexcept;
  // What the clock of the player showed when it sent that request.
  [[nodiscard]] std::int64_t askedUs(std::int32_t socket) const noexcept;

 private:
  struct Player {
    MessageFraming framing;
    bool isRead = false;
    bool answers = false;
    // The pass in which something was left to the caller: what comes behind must not overtake it.
    std::uint32_t leftInPass = 0;
    std::uint32_t serial = 0;
    std::int64_t answeredUs = 0;
    std::int64_t askedUs = 0;
  };

  // What one read has brought from one player.
  struct Input {
    std::int32_t socket;
    Player& player;
    const AudioSocket& audio;
    std::int64_t receivedUs;
  };

  [[nodiscard]] const Player* find(std::int32_t socket) const noexcept;
  [[nodiscard]] ssize_t receive(int fd, std::int64_t& receivedUs);
  void take(const Input& input, std::span<const std::byte> data);
  void reply(const Input& input);
  void leave(const Input& input, std::span<const std::byte> bytes);
  void finish(const Input& input, PlayerEventKind kind, int error);
  void tell(const Input& input, PlayerEventKind kind, std::span<const std::byte> bytes,
            int error = 0);

  SystemCalls calls_;
  ArrivalClock clock_;
  std::vector<Player> players_;
  std::vector<std::byte> buffer_;
  // Time requests of one read that become their replies.
  std::vector<std::byte> replies_;
  PlayerEvents events_;
  std::size_t passBytes_ = 0;
  std::uint32_t pass_ = 0;
  std::uint32_t nextSerial_ = 0;
};

}  // namespace zerocast
