#include "crowd.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "json-line.hpp"

namespace {

constexpr size_t maxProblems = 10;
// One whole message of the longest kind and a good read behind it.
constexpr size_t scratchBytes = maxBodyBytes + baseHeaderBytes + 262144;
constexpr int64_t timeIntervalUs = 1000000;
constexpr int64_t watchIntervalUs = 1000000;
// Much more than any buffer: whoever has heard nothing for so long was forgotten.
constexpr int64_t maxSilenceUs = 15000000;
// A busy machine may take long to notice an end, but not that long.
constexpr int64_t maxCloseUs = 20000000;

void resetConnection(int fd) {
  const linger abrupt{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
}

}  // namespace

Crowd::Crowd(CrowdOptions options)
    : options_(options),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      scratch_(scratchBytes),
      random_(options.seed) {
  address_.sin_family = AF_INET;
  address_.sin_port = htons(options_.port);
  address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  judged_.pattern.emplace(options_.rateHz);
  unjudged_.maySwitchStreams = true;
  for (uint32_t i = 0; i < options_.stayers; i++) seats_.push_back({Kind::stays, i});
  for (uint32_t i = 0; i < options_.leavers; i++) seats_.push_back({Kind::leaves, nextLeaver_++});
  for (uint32_t i = 0; i < options_.movers; i++) seats_.push_back({Kind::moves, nextMover_++});
}

Crowd::~Crowd() { close(epoll_); }

void Crowd::note(const std::string& problem) {
  if (problems_.size() < maxProblems) problems_.push_back(problem);
}

bool Crowd::run() {
  epoll_event input{};
  input.events = EPOLLIN;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0) {
    note("the standard input must be a pipe or a socket");
  }
  startedUs_ = nextJoinUs_ = nextRequestUs_ = nextWatchUs_ = monotonicUs();
  while (!hasEnded_ && problems_.empty()) {
    const int64_t nowUs = monotonicUs();
    joinDue(nowUs);
    changeDue(nowUs);
    requestDue(nowUs);
    watch(nowUs);
    poll(nowUs);
  }
  if (judged_.gaps > 0) note(std::to_string(judged_.gaps) + " gaps");
  if (judged_.duplicates > 0) note(std::to_string(judged_.duplicates) + " duplicates");
  if (judged_.mismatches > 0) note(std::to_string(judged_.mismatches) + " chunks with wrong bytes");
  if (!hasSaidJoined_) note("not all players had audio before the end");
  report("result");
  return problems_.empty();
}

Measurement& Crowd::measurementOf(Kind kind) {
  return kind == Kind::moves ? unjudged_ : judged_;
}

// In the beginning everybody comes, the ones that stay first.
void Crowd::joinDue(int64_t nowUs) {
  while (joined_ < seats_.size() && nowUs >= nextJoinUs_) {
    join(seats_[joined_++], nowUs);
    nextJoinUs_ += 1000000 / options_.joinsPerSec;
  }
}

void Crowd::changeDue(int64_t nowUs) {
  if (!hasSaidJoined_ || options_.leavers + options_.movers == 0 || options_.changesPerMin == 0) {
    return;
  }
  while (nowUs >= nextChangeUs_) {
    const auto restless = static_cast<uint32_t>(seats_.size()) - options_.stayers;
    changeOne(seats_[options_.stayers + random_() % restless], nowUs);
    nextChangeUs_ += 60000000 / options_.changesPerMin;
  }
}

void Crowd::changeOne(Seat& seat, int64_t nowUs) {
  if (seat.player != nullptr) return leave(seat, nowUs);
  if (random_() % 2 == 0) {
    counts_.rejoins += 1;
  } else {
    seat.number = freshNumber(seat.kind);
  }
  join(seat, nowUs);
}

uint32_t Crowd::freshNumber(Kind kind) {
  return kind == Kind::moves ? nextMover_++ : nextLeaver_++;
}

void Crowd::join(Seat& seat, int64_t nowUs) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return note(std::string("socket: ") + std::strerror(errno));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto player = std::make_unique<Player>();
  player->client =
      std::make_unique<Client>(fd, seat.number, static_cast<int>(options_.timeBurst), nowUs,
                               measurementOf(seat.kind));
  const auto* address = reinterpret_cast<const sockaddr*>(&address_);
  if (connect(fd, address, sizeof address_) != 0 && errno != EINPROGRESS) {
    return note(std::string("connect: ") + std::strerror(errno));
  }
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.ptr = player.get();
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  seat.player = player.get();
  players_.push_back(std::move(player));
  counts_.joins += 1;
}

void Crowd::leave(Seat& seat, int64_t nowUs) {
  // Whoever is still about to come is left alone.
  if (seat.player->state != State::playing) return;
  switch (random_() % 3) {
    case 0:
      return reset(seat);
    case 1:
      return endSending(seat, nowUs);
    default:
      seat.player->state = State::ending;
      seat.player->closeDueUs = nowUs + maxCloseUs;
      counts_.replaced += 1;
      return join(seat, nowUs);
  }
}

void Crowd::reset(Seat& seat) {
  resetConnection(seat.player->client->fd());
  counts_.resets += 1;
  forget(*seat.player);
}

// The server must answer the end of our sending by the end of its own.
void Crowd::endSending(Seat& seat, int64_t nowUs) {
  shutdown(seat.player->client->fd(), SHUT_WR);
  seat.player->state = State::ending;
  seat.player->closeDueUs = nowUs + maxCloseUs;
  seat.player = nullptr;
  counts_.ends += 1;
}

// One request of one player at a time: the phases of all are spread over the interval.
void Crowd::requestDue(int64_t nowUs) {
  while (nowUs >= nextRequestUs_) {
    Player* const player = seats_[nextRequester_].player;
    if (player != nullptr && player->state == State::playing && player->client->isReadyForTime()) {
      player->client->requestTime();
      judge(*player);
    }
    nextRequester_ = (nextRequester_ + 1) % seats_.size();
    nextRequestUs_ += timeIntervalUs / static_cast<int64_t>(seats_.size());
  }
}

// What never comes calls nobody, so it is looked for.
void Crowd::watch(int64_t nowUs) {
  if (nowUs < nextWatchUs_) return;
  nextWatchUs_ = nowUs + watchIntervalUs;
  sayOnceAllPlay();
  for (const auto& player : players_) {
    if (player->state == State::ending && nowUs >= player->closeDueUs) {
      note("the server did not close a connection that had ended");
    }
  }
  for (const Seat& seat : seats_) {
    if (!hasSaidJoined_ || seat.kind != Kind::stays || seat.player == nullptr) continue;
    const int64_t newestUs = judged_.serverClock.toOurs(seat.player->client->newestUs());
    if (nowUs - newestUs > maxSilenceUs) {
      note("player " + std::to_string(seat.number) + " hears nothing any more");
    }
  }
  if (hasSaidJoined_) report("progress");
}

void Crowd::sayOnceAllPlay() {
  if (hasSaidJoined_) return;
  const int64_t nowUs = monotonicUs();
  if (allPlay()) {
    hasSaidJoined_ = true;
    nextChangeUs_ = nowUs;
    JsonLine("joined").print();
  } else if (nowUs - startedUs_ > int64_t{options_.joinTimeoutMs} * 1000) {
    note("not all players have audio in time");
  }
}

bool Crowd::allPlay() const {
  return joined_ == seats_.size() &&
         std::all_of(seats_.begin(), seats_.end(),
                     [](const Seat& seat) { return seat.player->client->joined(); });
}

void Crowd::poll(int64_t nowUs) {
  int64_t dueUs = std::min(nextWatchUs_, nextRequestUs_);
  if (joined_ < seats_.size()) dueUs = std::min(dueUs, nextJoinUs_);
  if (hasSaidJoined_) dueUs = std::min(dueUs, nextChangeUs_);
  const int waitMs = dueUs <= nowUs ? 0 : static_cast<int>((dueUs - nowUs + 999) / 1000);
  epoll_event events[256];
  const int ready = epoll_wait(epoll_, events, 256, waitMs);
  for (int i = 0; i < ready; i++) {
    if (events[i].data.ptr == nullptr) {
      // Nobody writes to us: what comes is the end.
      hasEnded_ = true;
    } else {
      onEvent(*static_cast<Player*>(events[i].data.ptr), events[i].events);
    }
  }
}

void Crowd::onEvent(Player& player, uint32_t events) {
  if (player.state == State::connecting && (events & EPOLLOUT) != 0) {
    player.client->greet();
    player.state = State::playing;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &player;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, player.client->fd(), &event);
  } else {
    player.client->onReadable(scratch_);
  }
  judge(player);
}

// Whoever has left hears until the server closes, in whatever way.
void Crowd::judge(Player& player) {
  if (!player.client->failed()) return;
  if (player.state != State::ending) return note(player.client->failure());
  forget(player);
}

void Crowd::forget(Player& player) {
  for (Seat& seat : seats_) {
    if (seat.player == &player) seat.player = nullptr;
  }
  std::erase_if(players_, [&player](const auto& each) { return each.get() == &player; });
}

void Crowd::report(const char* event) const {
  JsonLine line(event);
  line.add("players", players_.size());
  line.add("chunks", judged_.heardChunks);
  line.add("gaps", judged_.gaps);
  line.add("duplicates", judged_.duplicates);
  line.add("mismatches", judged_.mismatches);
  line.add("lateTimes", judged_.timeUnanswered);
  line.add("joins", counts_.joins);
  line.add("rejoins", counts_.rejoins);
  line.add("resets", counts_.resets);
  line.add("ends", counts_.ends);
  line.add("replaced", counts_.replaced);
  std::string problems;
  for (const auto& problem : problems_) {
    problems += (problems.empty() ? "\"" : ",\"") + problem + "\"";
  }
  line.addRaw("problems", "[" + problems + "]");
  line.print();
}
