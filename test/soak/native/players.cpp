// Players that come and go: see crowd.hpp.
//
//   players --port PORT [--name value ...]
//
// Prints one JSON line when all play, one every second from then on, and one with the result when
// the standard input ends. Exit status 0: nobody who stayed missed anything; 1: see "problems";
// 2: usage.

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "crowd.hpp"

namespace {

bool parseNumber(const char* text, uint32_t& value) {
  char* end = nullptr;
  const unsigned long parsed = std::strtoul(text, &end, 10);
  if (end == text || *end != '\0' || parsed > 10000000) return false;
  value = static_cast<uint32_t>(parsed);
  return true;
}

bool parseOptions(int argc, char** argv, CrowdOptions& options) {
  uint32_t port = 0;
  const std::map<std::string, uint32_t*> numbers{
      {"--port", &port},
      {"--stayers", &options.stayers},
      {"--leavers", &options.leavers},
      {"--movers", &options.movers},
      {"--joins-per-second", &options.joinsPerSec},
      {"--changes-per-minute", &options.changesPerMin},
      {"--join-timeout-ms", &options.joinTimeoutMs},
      {"--time-burst", &options.timeBurst},
      {"--rate", &options.rateHz},
      {"--seed", &options.seed},
  };
  for (int i = 1; i < argc; i += 2) {
    const auto number = numbers.find(argv[i]);
    if (i + 1 == argc || number == numbers.end() || !parseNumber(argv[i + 1], *number->second)) {
      std::fprintf(stderr, "players: bad option: %s\n", argv[i]);
      return false;
    }
  }
  options.port = static_cast<uint16_t>(port);
  const bool isPossible = port > 0 && port < 65536 && options.stayers > 0 &&
                          options.joinsPerSec > 0 && options.rateHz > 0;
  if (!isPossible) std::fprintf(stderr, "players: a number is out of range\n");
  return isPossible;
}

void raiseFileLimit() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

int main(int argc, char** argv) {
  CrowdOptions options;
  if (!parseOptions(argc, argv, options)) return 2;
  raiseFileLimit();
  return Crowd(options).run() ? 0 : 1;
}
