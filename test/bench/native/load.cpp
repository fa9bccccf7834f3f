#include "load.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "json-line.hpp"

namespace {

constexpr int64_t drainMs = 2000;
constexpr size_t maxProblems = 10;
// One whole message of the longest kind and a good read behind it.
constexpr size_t scratchBytes = maxBodyBytes + baseHeaderBytes + 262144;

int64_t cpuUs(const timeval& time) { return int64_t{time.tv_sec} * 1000000 + time.tv_usec; }

}  // namespace

Load::Load(LoadOptions options)
    : options_(std::move(options)), epoll_(epoll_create1(EPOLL_CLOEXEC)), scratch_(scratchBytes) {
  measurement_.skipsEarlyChunks = options_.skipEarlyChunks != 0;
  address_.sin_family = AF_INET;
  address_.sin_port = htons(options_.port);
  if (inet_pton(AF_INET, options_.host.c_str(), &address_.sin_addr) != 1) {
    note("not an IPv4 address: " + options_.host);
  }
}

Load::~Load() { close(epoll_); }

void Load::note(const std::string& problem) {
  if (problems_.size() < maxProblems) problems_.push_back(problem);
}

bool Load::run() {
  startedUs_ = nextConnectUs_ = monotonicUs();
  enter(Phase::joining, options_.joinTimeoutMs, startedUs_);
  while (phase_ != Phase::done && problems_.empty()) {
    const int64_t nowUs = monotonicUs();
    connectDue(nowUs);
    requestDue(nowUs);
    advance(nowUs);
    poll(nowUs);
  }
  report();
  return problems_.empty();
}

void Load::enter(Phase phase, int64_t lastsMs, int64_t nowUs) {
  phase_ = phase;
  phaseEndUs_ = nowUs + lastsMs * 1000;
}

void Load::connectDue(int64_t nowUs) {
  while (clients_.size() < options_.clients && nowUs >= nextConnectUs_ && problems_.empty()) {
    connectOne(nowUs);
    if (options_.connectsPerSec > 0) nextConnectUs_ += 1000000 / options_.connectsPerSec;
  }
}

void Load::connectOne(int64_t nowUs) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return note(std::string("socket: ") + std::strerror(errno));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto index = static_cast<uint32_t>(clients_.size());
  const uint32_t number = options_.firstNumber + index;
  clients_.push_back(std::make_unique<Client>(fd, number, static_cast<int>(options_.timeBurst),
                                              nowUs, measurement_));
  const auto* address = reinterpret_cast<const sockaddr*>(&address_);
  if (connect(fd, address, sizeof address_) != 0 && errno != EINPROGRESS) {
    return note(std::string("connect: ") + std::strerror(errno));
  }
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.u32 = index;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

// One request of one client at a time: the phases of all clients are spread over the interval.
void Load::requestDue(int64_t nowUs) {
  while (nowUs >= nextRequestUs_) {
    Client& client = *clients_[nextRequester_];
    if (client.isReadyForTime()) client.requestTime();
    nextRequester_ = (nextRequester_ + 1) % options_.clients;
    nextRequestUs_ += int64_t{options_.timeIntervalMs} * 1000 / options_.clients;
  }
}

void Load::advance(int64_t nowUs) {
  switch (phase_) {
    case Phase::joining:
      if (allJoined()) {
        JsonLine("joined").print();
        if (options_.timeIntervalMs > 0) nextRequestUs_ = nowUs;
        enter(Phase::warmingUp, options_.warmUpMs, nowUs);
      } else if (nowUs >= phaseEndUs_) {
        note("only " + std::to_string(joined_) + " of " + std::to_string(options_.clients) +
             " clients have audio and a synced clock in time");
      }
      return;
    case Phase::warmingUp:
      if (nowUs < phaseEndUs_) return;
      JsonLine("window-start").print();
      enter(Phase::measuring, options_.windowMs, nowUs);
      measurement_.windowStartUs = nowUs;
      measurement_.windowEndUs = phaseEndUs_;
      return;
    case Phase::measuring:
      if (nowUs < phaseEndUs_) return;
      JsonLine("window-end").print();
      enter(Phase::lingering, options_.lingerMs, nowUs);
      return;
    case Phase::lingering:
      if (nowUs >= phaseEndUs_) enter(Phase::draining, drainMs, nowUs);
      return;
    case Phase::draining:
      if (allDrained() || nowUs >= phaseEndUs_) phase_ = Phase::done;
      return;
    case Phase::done:
      return;
  }
}

bool Load::allJoined() {
  while (joined_ < clients_.size() && clients_[joined_]->joined()) joined_ += 1;
  return joined_ == options_.clients;
}

bool Load::allDrained() const {
  for (const auto& client : clients_) {
    const int64_t capturedUs = measurement_.serverClock.toOurs(client->newestUs());
    if (capturedUs < measurement_.windowEndUs) return false;
  }
  return true;
}

int64_t Load::nextDueUs() const {
  int64_t dueUs = phaseEndUs_ < nextRequestUs_ ? phaseEndUs_ : nextRequestUs_;
  if (clients_.size() < options_.clients && nextConnectUs_ < dueUs) dueUs = nextConnectUs_;
  return dueUs;
}

void Load::poll(int64_t nowUs) {
  const int64_t waitUs = nextDueUs() - nowUs;
  const int waitMs = waitUs <= 0 ? 0 : static_cast<int>((waitUs + 999) / 1000);
  epoll_event events[256];
  const int ready = epoll_wait(epoll_, events, 256, waitMs);
  for (int i = 0; i < ready; i++) {
    Client& client = *clients_[events[i].data.u32];
    if (events[i].events & EPOLLOUT) {
      client.greet();
      events[i].events = EPOLLIN;
      epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd(), &events[i]);
    } else {
      client.onReadable(scratch_);
    }
    if (client.failed()) note(client.failure());
  }
}

// A saturated machine shows here first: what was measured only counts when every byte arrived.
void Load::checkWhole(uint64_t expected, uint64_t fewest, uint64_t most) {
  // One per cent, and one chunk more because the window may cut a chunk at both ends.
  const uint64_t slack = expected / 100 + 1;
  if (expected == 0 || fewest + slack < expected || most > expected + slack) {
    note("chunks per client are off: expected " + std::to_string(expected) + ", got " +
         std::to_string(fewest) + ".." + std::to_string(most));
  }
  const auto noteCount = [this](uint64_t count, const char* what) {
    if (count > 0) note(std::to_string(count) + " " + what);
  };
  noteCount(measurement_.gaps, "gaps");
  noteCount(measurement_.duplicates, "duplicates");
  noteCount(measurement_.mismatches, "chunks differ between clients");
  noteCount(measurement_.timeWrong, "wrong times");
  noteCount(measurement_.timeUnanswered, "Time requests late or unanswered");
}

void Load::report() {
  const int64_t windowUs = int64_t{options_.windowMs} * 1000;
  const int64_t chunkUs = measurement_.chunkUs;
  const auto expected = static_cast<uint64_t>(chunkUs > 0 ? windowUs / chunkUs : 0);
  uint64_t fewest = UINT64_MAX;
  uint64_t most = 0;
  for (const auto& client : clients_) {
    fewest = std::min(fewest, client->windowChunks());
    most = std::max(most, client->windowChunks());
  }
  if (problems_.empty()) checkWhole(expected, fewest, most);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  Samples syncErrorUs;
  for (const auto& client : clients_) {
    if (client->joined()) syncErrorUs.add(client->syncErrorUs());
  }

  JsonLine line("result");
  line.add("clients", options_.clients);
  line.add("windowMs", options_.windowMs);
  line.addRaw("codec", "\"" + measurement_.codec + "\"");
  line.add("chunkUs", chunkUs);
  line.add("chunks", measurement_.chunks);
  line.add("chunkBytes", measurement_.chunkBytes);
  line.add("receivedBytes", measurement_.receivedBytes);
  line.add("expectedChunksPerClient", expected);
  line.add("fewestChunks", fewest);
  line.add("mostChunks", most);
  line.add("gaps", measurement_.gaps);
  line.add("duplicates", measurement_.duplicates);
  line.add("mismatches", measurement_.mismatches);
  line.add("timeUnanswered", measurement_.timeUnanswered);
  line.add("timeWrong", measurement_.timeWrong);
  line.add("serverClockOffsetUs", measurement_.serverClock.offsetUs());
  line.addRaw("chunkAgeUs", measurement_.chunkAgeUs.toJson());
  line.addRaw("timeRoundTripUs", measurement_.timeRoundTripUs.toJson());
  line.addRaw("firstChunkUs", measurement_.firstChunkUs.toJson());
  line.addRaw("syncErrorUs", syncErrorUs.toJson());
  line.add("loadClientCpuUs", cpuUs(usage.ru_utime) + cpuUs(usage.ru_stime));
  std::string problems;
  for (const auto& problem : problems_) {
    problems += (problems.empty() ? "\"" : ",\"") + problem + "\"";
  }
  line.addRaw("problems", "[" + problems + "]");
  line.print();
}
