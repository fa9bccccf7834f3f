// What MSG_ZEROCOPY saves or costs per send, without a server around it: the same batch to every
// socket at each tick, plainly and with the flag in turn, completions drained once per tick.
//
//   send-ratio --host ADDRESS --port PORT --sizes 4096,16384 [--name value ...]
//
// Waits for its peers to connect (tap-peers --sink 1) and prints one JSON line per size, layout and
// round. Exit status 0: measured; 1: not, see "problems"; 2: usage.

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "audio-batch.hpp"
#include "json-line.hpp"
#include "problem-list.hpp"
#include "send-sockets.hpp"
#include "wire.h"

namespace {

constexpr int joinTimeoutMs = 10000;
// Until the congestion window holds a batch of this size; it follows what was sent lately.
constexpr uint32_t warmUpTicks = 3;
constexpr uint32_t settleTicks = 10;

struct Options {
  std::string host = "127.0.0.1";
  std::vector<uint32_t> sizes;
  uint32_t port = 0;
  uint32_t sockets = 250;
  uint32_t rounds = 5;
  // Measured ones per round, size, layout and way of sending; one more goes ahead of them.
  uint32_t ticks = 4;
  uint32_t tickMs = 20;
  // The process that plays the peers: what it uses includes the work of our kernel on their
  // acknowledgements. 0: not measured.
  uint32_t peerPid = 0;
};

int64_t threadCpuNs() {
  timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return int64_t{used.tv_sec} * 1000000000 + used.tv_nsec;
}

// Source: proc(5), schedstat: time on the CPU in nanoseconds.
int64_t processCpuNs(uint32_t pid) {
  long long usedNs = 0;
  std::FILE* file =
      pid == 0 ? nullptr : std::fopen(("/proc/" + std::to_string(pid) + "/schedstat").c_str(), "r");
  if (file == nullptr) return 0;
  if (std::fscanf(file, "%lld", &usedNs) != 1) usedNs = 0;
  std::fclose(file);
  return usedNs;
}

// One way of sending in one round.
struct Trial {
  SendCounts counts;
  double senderUs = 0, peerUs = 0;
};

class Measurement {
 public:
  explicit Measurement(const Options& options) : options_(options) {}

  bool run() {
    if (!batch_.isValid()) {
      problems_.add("no memory for the chunks");
    } else if (!sockets_.accept(options_.host.c_str(), static_cast<uint16_t>(options_.port),
                                options_.sockets, joinTimeoutMs)) {
      problems_.add(sockets_.failure());
    }
    nextTickUs_ = monotonicUs();
    for (uint32_t round = 0; round < options_.rounds; round++) {
      for (const uint32_t bytes : options_.sizes) {
        if (problems_.empty()) measureSize(bytes, round);
      }
    }
    JsonLine line("result");
    line.add("sentBytes", sentBytes_);
    line.addRaw("problems", problems_.toJson());
    line.print();
    return problems_.empty();
  }

 private:
  using Layout = AudioBatch::Layout;

  void measureSize(uint32_t bytes, uint32_t round) {
    for (uint32_t i = 0; i < warmUpTicks; i++) tick(bytes, Layout::pieces, false);
    for (const Layout layout : {Layout::pieces, Layout::whole}) {
      // Each goes first in every other round: whatever it leaves behind hits the other.
      const bool zeroCopyFirst = round % 2 == 1;
      const Trial first = measureTrial(bytes, layout, zeroCopyFirst);
      const Trial second = measureTrial(bytes, layout, !zeroCopyFirst);
      print(bytes, layout, zeroCopyFirst ? second : first, zeroCopyFirst ? first : second);
    }
  }

  Trial measureTrial(uint32_t bytes, Layout layout, bool zeroCopy) {
    tick(bytes, layout, zeroCopy);
    (void)sockets_.takeCounts();
    const int64_t peerNs = processCpuNs(options_.peerPid);
    int64_t usedNs = 0;
    for (uint32_t i = 0; i < options_.ticks; i++) usedNs += tick(bytes, layout, zeroCopy);
    waitForTick();
    Trial trial;
    const auto sends = static_cast<double>(uint64_t{options_.ticks} * sockets_.count());
    trial.senderUs = static_cast<double>(usedNs) / 1000 / sends;
    trial.peerUs = static_cast<double>(processCpuNs(options_.peerPid) - peerNs) / 1000 / sends;
    settle();
    trial.counts = sockets_.takeCounts();
    if (trial.counts.partial > 0) problems_.add("the kernel did not take a batch whole");
    if (!sockets_.failure().empty()) problems_.add(sockets_.failure());
    return trial;
  }

  // Returns the CPU time used: the sends and, with the flag, the completions of the tick before.
  int64_t tick(uint32_t bytes, Layout layout, bool zeroCopy) {
    waitForTick();
    std::vector<iovec>& pieces = batch_.next(bytes, layout);
    const int64_t beforeNs = threadCpuNs();
    if (zeroCopy) sockets_.drain();
    sockets_.sendToAll(pieces, bytes, zeroCopy);
    const int64_t usedNs = threadCpuNs() - beforeNs;
    sentBytes_ += uint64_t{bytes} * sockets_.count();
    return usedNs;
  }

  // After a late tick the next one is a whole interval away: the peers need the time.
  void waitForTick() {
    const int64_t nowUs = monotonicUs();
    const timespec until{nextTickUs_ / 1000000, nextTickUs_ % 1000000 * 1000};
    if (nowUs < nextTickUs_) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
    nextTickUs_ = std::max(nextTickUs_, nowUs) + int64_t{options_.tickMs} * 1000;
  }

  // No completion of one trial may fall into the next.
  void settle() {
    sockets_.drain();
    for (uint32_t i = 0; i < settleTicks && sockets_.outstanding() > 0; i++) {
      waitForTick();
      sockets_.drain();
    }
    if (sockets_.outstanding() > 0) problems_.add("completions are missing");
  }

  void print(uint32_t bytes, Layout layout, const Trial& plain, const Trial& zeroCopy) const {
    JsonLine line("trial");
    line.add("bytes", bytes);
    line.addRaw("layout", layout == Layout::pieces ? "\"pieces\"" : "\"whole\"");
    line.add("plainUs", plain.senderUs);
    line.add("zeroCopyUs", zeroCopy.senderUs);
    line.add("plainPeerUs", plain.peerUs);
    line.add("zeroCopyPeerUs", zeroCopy.peerUs);
    line.add("completed", zeroCopy.counts.completed);
    line.add("copied", zeroCopy.counts.copied);
    line.add("noBuffers", zeroCopy.counts.noBuffers);
    line.print();
  }

  const Options& options_;
  AudioBatch batch_;
  SendSockets sockets_;
  ProblemList problems_;
  int64_t nextTickUs_ = 0;
  // What the peers must have received, unless a batch was cut short, which is a problem anyway.
  uint64_t sentBytes_ = 0;
};

bool parseNumber(const std::string& text, uint32_t& value) {
  char* end = nullptr;
  const unsigned long parsed = std::strtoul(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || parsed == 0 || parsed > 10000000) return false;
  value = static_cast<uint32_t>(parsed);
  return true;
}

bool parseSizes(const char* text, std::vector<uint32_t>& sizes) {
  std::istringstream list(text);
  for (std::string part; std::getline(list, part, ',');) {
    sizes.push_back(0);
    if (!parseNumber(part, sizes.back()) || sizes.back() > AudioBatch::mostBytes) return false;
  }
  return !sizes.empty();
}

bool parseOptions(int argc, char** argv, Options& options) {
  const std::map<std::string, uint32_t*> numbers{
      {"--port", &options.port},       {"--sockets", &options.sockets},
      {"--rounds", &options.rounds},   {"--ticks", &options.ticks},
      {"--tick-ms", &options.tickMs},  {"--peer-pid", &options.peerPid},
  };
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    const auto number = numbers.find(name);
    bool valid = true;
    if (name == "--host") {
      options.host = value;
    } else if (name == "--sizes") {
      valid = parseSizes(value, options.sizes);
    } else {
      valid = number != numbers.end() && parseNumber(value, *number->second);
    }
    if (!valid) {
      std::fprintf(stderr, "send-ratio: bad option: %s %s\n", argv[i], value);
      return false;
    }
  }
  if (options.port > 0 && options.port < 65536 && !options.sizes.empty()) return true;
  std::fprintf(stderr, "send-ratio: --port and --sizes are needed\n");
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parseOptions(argc, argv, options)) return 2;
  return Measurement(options).run() ? 0 : 1;
}
