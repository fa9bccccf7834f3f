#include "peer-load.hpp"

#include <sys/resource.h>

#include <algorithm>

#include "json-line.hpp"

namespace {

constexpr int64_t drainMs = 2000;

}  // namespace

PeerLoad::PeerLoad(const NetworkOptions& network, const PeerLoadOptions& options)
    : options_(options), count_(network.peers), network_(network, *this) {
  clients_.reserve(count_);
  for (uint32_t number = 0; number < count_; number++) {
    clients_.emplace_back(number, options_.timeBurst, network_, measurement_);
  }
}

void PeerLoad::onConnected(uint32_t number) { clients_[number].greet(); }

void PeerLoad::onBytes(uint32_t number, std::span<const uint8_t> payload, size_t) {
  clients_[number].onBytes(payload);
  if (clients_[number].failed()) problems_.add(clients_[number].failure());
}

void PeerLoad::onClosed(uint32_t number) { onBroken(number, "the server closed the connection"); }

void PeerLoad::onBroken(uint32_t number, const std::string& why) {
  clients_[number].fail(why);
  problems_.add(clients_[number].failure());
}

bool PeerLoad::run() {
  const int64_t startedUs = nextConnectUs_ = monotonicUs();
  enter(Phase::joining, options_.joinTimeoutMs, startedUs);
  while (phase_ != Phase::done && problems_.empty()) {
    const int64_t nowUs = monotonicUs();
    connectDue(nowUs);
    requestDue(nowUs);
    advance(nowUs);
    network_.poll(nextDueUs() - nowUs);
    if (!network_.failure().empty()) problems_.add(network_.failure());
  }
  report();
  return problems_.empty();
}

void PeerLoad::enter(Phase phase, int64_t lastsMs, int64_t nowUs) {
  phase_ = phase;
  phaseEndUs_ = nowUs + lastsMs * 1000;
}

void PeerLoad::connectDue(int64_t nowUs) {
  while (started_ < count_ && nowUs >= nextConnectUs_) {
    clients_[started_].start(nowUs);
    network_.connect(started_);
    started_ += 1;
    if (options_.connectsPerSec > 0) nextConnectUs_ += 1000000 / options_.connectsPerSec;
  }
}

// One request of one client at a time: the phases of all clients are spread over the interval.
void PeerLoad::requestDue(int64_t nowUs) {
  while (nowUs >= nextRequestUs_) {
    PeerClient& client = clients_[nextRequester_];
    if (client.isReadyForTime()) client.requestTime();
    nextRequester_ = (nextRequester_ + 1) % count_;
    nextRequestUs_ += int64_t{options_.timeIntervalMs} * 1000 / count_;
  }
}

void PeerLoad::advance(int64_t nowUs) {
  switch (phase_) {
    case Phase::joining:
      if (allJoined()) {
        JsonLine("joined").print();
        if (options_.timeIntervalMs > 0) nextRequestUs_ = nowUs;
        enter(Phase::warmingUp, options_.warmUpMs, nowUs);
      } else if (nowUs >= phaseEndUs_) {
        problems_.add("only " + std::to_string(joined_) + " of " + std::to_string(count_) +
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
      enter(Phase::draining, drainMs, nowUs);
      return;
    case Phase::draining:
      if (allDrained() || nowUs >= phaseEndUs_) phase_ = Phase::done;
      return;
    case Phase::done:
      return;
  }
}

bool PeerLoad::allJoined() {
  while (joined_ < count_ && clients_[joined_].joined()) joined_ += 1;
  return joined_ == count_;
}

bool PeerLoad::allDrained() const {
  return std::all_of(clients_.begin(), clients_.end(), [this](const PeerClient& client) {
    return measurement_.serverClock.toOurs(client.newestUs()) >= measurement_.windowEndUs;
  });
}

int64_t PeerLoad::nextDueUs() const {
  const int64_t dueUs = std::min(phaseEndUs_, nextRequestUs_);
  return started_ < count_ ? std::min(dueUs, nextConnectUs_) : dueUs;
}

// A saturated machine shows here first: what was measured only counts when every byte arrived.
void PeerLoad::checkWhole(uint64_t expected, uint64_t fewest, uint64_t most) {
  // One per cent, and one chunk more because the window may cut a chunk at both ends.
  const uint64_t slack = expected / 100 + 1;
  if (expected == 0 || fewest + slack < expected || most > expected + slack) {
    problems_.add("chunks per client are off: expected " + std::to_string(expected) + ", got " +
                  std::to_string(fewest) + ".." + std::to_string(most));
  }
  problems_.addCount(measurement_.gaps, "gaps");
  problems_.addCount(measurement_.duplicates, "duplicates");
  problems_.addCount(network_.pathCounts().lost, "segments were lost on the path");
  problems_.addCount(measurement_.timeUnanswered, "Time requests late or unanswered");
}

void PeerLoad::report() {
  const int64_t windowUs = int64_t{options_.windowMs} * 1000;
  const int64_t chunkUs = measurement_.chunkUs;
  const auto expected = static_cast<uint64_t>(chunkUs > 0 ? windowUs / chunkUs : 0);
  uint64_t fewest = UINT64_MAX;
  uint64_t most = 0;
  for (const PeerClient& client : clients_) {
    fewest = std::min(fewest, client.windowChunks());
    most = std::max(most, client.windowChunks());
  }
  if (problems_.empty()) checkWhole(expected, fewest, most);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto cpuUs = [](const timeval& time) { return time.tv_sec * 1000000 + time.tv_usec; };

  JsonLine line("result");
  line.add("clients", count_);
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
  line.add("timeUnanswered", measurement_.timeUnanswered);
  network_.addTo(line);
  line.add("serverClockOffsetUs", measurement_.serverClock.offsetUs());
  line.addRaw("chunkAgeUs", measurement_.chunkAgeUs.toJson());
  line.addRaw("timeRoundTripUs", measurement_.timeRoundTripUs.toJson());
  line.addRaw("firstChunkUs", measurement_.firstChunkUs.toJson());
  line.add("loadClientCpuUs", cpuUs(usage.ru_utime) + cpuUs(usage.ru_stime));
  line.addRaw("problems", problems_.toJson());
  line.print();
}
