#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "audio-socket.hpp"
#include "chunk-holds.hpp"
#include "player-reader.hpp"
#include "reservation.hpp"
#include "socket-watcher.hpp"
#include "system-calls.hpp"

namespace zerocast {

// What one session is to get: `count` chunks of the window, beginning with number `first`.
struct Order {
  std::int32_t socket;
  std::int32_t first;
  std::int32_t count;
};

// Sends the chunks of a ring to all sessions that are due, by one call, and reads what players say.
//
// Ownership: owns a duplicate of each socket. The memory of a chunk must stay as it is until
// `takeReleased` names its handle; so a chunk in flight outlives its socket.
// Threads: one; the reservations are shared with other threads.
class FanOut {
 public:
  // More pieces the kernel refuses. Source: sendmsg(2), IOV_MAX.
  static constexpr std::size_t maxChunksPerSend = 1024;
  // A closed socket may take so long to bring its last chunks to a living peer.
  static constexpr std::int64_t lingerUs = 1'000'000;

  explicit FanOut(ZeroCopyRules rules, SystemCalls calls = {});

  // Takes in a connected, non-blocking TCP socket by a duplicate of its descriptor.
  // Failure: returns a negative error number.
  [[nodiscard]] std::int32_t add(int fd, Reservation reservation, Framing framing);

  // Ends a socket: closes it at once, or when nothing of it is in flight any more.
  void remove(std::int32_t socket, std::int64_t nowUs);

  // Serves `orders` one by one and writes what became of each to `outcomes`; ends early when
  // `sliceUs` are over, so that no other work waits for long. Returns how many it has served.
  // Every chunk of the window counts as released afterwards unless it is in flight.
  std::size_t deliver(const Batch& window, std::span<const Order> orders,
                      std::span<Outcome> outcomes, std::int64_t sliceUs);

  // Sends a small message to one socket: see `AudioSocket::write`.
  [[nodiscard]] ssize_t write(std::int32_t socket, std::span<const std::byte> message);

  // Reads the completions of all sockets that have some; what players say waits for `readReady`.
  void drain();

  // Reads a TCP player from now on, and `answers` its Time requests or not.
  // Failure: returns a negative error number, else 0.
  [[nodiscard]] int readPlayer(std::int32_t socket, bool answers);
  // Whether the Time requests of a player are answered.
  void answerPlayer(std::int32_t socket, bool answers) noexcept;

  // Reads completions and players, of `SocketWatcher::maxNews` sockets at most; `watchedFd` stays
  // readable while there are more.
  void readReady();

  // What came from players that is for the caller: see `PlayerReader`. The caller may end any
  // socket while it goes through them, and asks `isCurrent` before each.
  void takeEvents(PlayerEvents& events) { reader_.takeEvents(events); }
  [[nodiscard]] bool isCurrent(const PlayerEvent& event) const noexcept {
    return reader_.isCurrent(event);
  }
  // When the newest request of a player came that was answered here; 0 before the first.
  [[nodiscard]] std::int64_t answeredUs(std::int32_t socket) const noexcept {
    return reader_.answeredUs(socket);
  }
  // What the clock of the player showed when it sent that request.
  [[nodiscard]] std::int64_t askedUs(std::int32_t socket) const noexcept {
    return reader_.askedUs(socket);
  }

  // Breaks the closed sockets whose time to linger is over.
  void sweep(std::int64_t nowUs);

  // Releases all chunks, in flight or not: only before their memory is given back for good.
  void abandon();

  // Closes all descriptors. Nothing can be added afterwards.
  void close() noexcept;

  // Closed sockets that still have chunks in flight.
  [[nodiscard]] std::size_t lingering() const noexcept { return lingering_.size(); }

  [[nodiscard]] std::size_t takeReleased(std::span<std::uint32_t> into) noexcept {
    return holds_.takeReleased(into);
  }
  [[nodiscard]] bool hasReleased() const noexcept { return holds_.hasReleased(); }

  // `nullptr` when there is no such socket, or it was removed: the word of its reservation may be
  // gone by then.
  [[nodiscard]] AudioSocket* find(std::int32_t socket) noexcept;

  // Readable while there is something for `readReady`.
  [[nodiscard]] int watchedFd() const noexcept { return watcher_.fd(); }

 private:
  struct Lingering {
    std::int32_t socket;
    std::int64_t deadlineUs;
  };

  // `nullptr` when there is no such socket; a removed one is there while it lingers.
  [[nodiscard]] AudioSocket* at(std::int32_t socket) noexcept;
  [[nodiscard]] Outcome serve(const Batch& window, const Order& order);
  [[nodiscard]] std::int32_t place(AudioSocket socket);
  [[nodiscard]] static bool hasInput(const SocketNews& news, const AudioSocket& socket) noexcept;
  void closeWhenDone(std::size_t lingeringIndex);
  void erase(std::int32_t socket);

  ZeroCopyRules rules_;
  SystemCalls calls_;
  SocketWatcher watcher_;
  PlayerReader reader_;
  ChunkHolds holds_;
  std::vector<std::optional<AudioSocket>> sockets_;
  std::vector<std::int32_t> freePlaces_;
  std::vector<Lingering> lingering_;
  std::vector<iovec> pieces_;
  // Sockets whose news are to be told again.
  std::vector<std::int32_t> unread_;
};

// Whether the system knows zero-copy sending over TCP: 0, or the error number of the refusal.
[[nodiscard]] int probeZeroCopy() noexcept;

}  // namespace zerocast
