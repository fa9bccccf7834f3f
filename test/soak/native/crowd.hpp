#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "client.hpp"

struct CrowdOptions {
  uint16_t port = 0;
  // Players that stay from the beginning to the end.
  uint32_t stayers = 1;
  // Players that come and go.
  uint32_t leavers = 0;
  // Players that come and go and that controllers give other streams meanwhile.
  uint32_t movers = 0;
  uint32_t joinsPerSec = 100;
  // How often somebody comes or goes, per minute.
  uint32_t changesPerMin = 120;
  uint32_t joinTimeoutMs = 60000;
  uint32_t timeBurst = 50;
  uint32_t seed = 1;
  uint32_t rateHz = 48000;
};

// Ids of the three kinds of players begin here, so that controllers can tell them apart.
constexpr uint32_t firstLeaver = 100000;
constexpr uint32_t firstMover = 10000000;

// A crowd of players on one server, part of which comes and goes until the standard input ends.
//
// Whoever leaves does so by a reset, by an end of its own sending, or by connecting once more with
// the same id and saying nothing more on the older connection, upon which the server has to close
// that. Whoever comes back has the same id as before, or one that the server has never heard.
class Crowd {
 public:
  explicit Crowd(CrowdOptions options);
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  // True when everything that was due has arrived, at everybody who did not leave.
  bool run();

 private:
  enum class Kind : uint8_t { stays, leaves, moves };
  enum class State : uint8_t { connecting, playing, ending };

  struct Player {
    std::unique_ptr<Client> client;
    State state = State::connecting;
    // When the server must have closed the connection at last.
    int64_t closeDueUs = 0;
  };

  struct Seat {
    Kind kind;
    uint32_t number;
    Player* player = nullptr;
  };

  struct Counts {
    uint64_t joins = 0, rejoins = 0, resets = 0, ends = 0, replaced = 0;
  };

  void joinDue(int64_t nowUs);
  void changeDue(int64_t nowUs);
  void changeOne(Seat& seat, int64_t nowUs);
  void join(Seat& seat, int64_t nowUs);
  void leave(Seat& seat, int64_t nowUs);
  void reset(Seat& seat);
  void endSending(Seat& seat, int64_t nowUs);
  void requestDue(int64_t nowUs);
  void watch(int64_t nowUs);
  void poll(int64_t nowUs);
  void onEvent(Player& player, uint32_t events);
  void judge(Player& player);
  void forget(Player& player);
  uint32_t freshNumber(Kind kind);
  void note(const std::string& problem);
  void report(const char* event) const;
  void sayOnceAllPlay();
  [[nodiscard]] bool allPlay() const;
  [[nodiscard]] Measurement& measurementOf(Kind kind);

  const CrowdOptions options_;
  sockaddr_in address_{};
  const int epoll_;
  std::vector<uint8_t> scratch_;
  std::vector<Seat> seats_;
  // By pointer: the epoll set names them by their addresses.
  std::vector<std::unique_ptr<Player>> players_;
  // Judged by every chunk; what movers hear depends on what controllers do.
  Measurement judged_, unjudged_;
  std::vector<std::string> problems_;
  std::mt19937 random_;
  Counts counts_;
  uint32_t nextLeaver_ = firstLeaver, nextMover_ = firstMover;
  size_t joined_ = 0;
  size_t nextRequester_ = 0;
  bool hasEnded_ = false, hasSaidJoined_ = false;
  int64_t startedUs_ = 0, nextJoinUs_ = 0, nextChangeUs_ = 0, nextRequestUs_ = 0, nextWatchUs_ = 0;
};
