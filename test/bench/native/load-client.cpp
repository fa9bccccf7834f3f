// Many snapclients in one process: connects, listens, asks for the time and checks every byte.
//
//   load-client --port PORT [--name value ...]
//
// Prints one JSON line per event (joined, window-start, window-end) and one with the result.
// Exit status 0: everything that was due arrived; 1: it did not, see "problems"; 2: usage.

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "load.hpp"

namespace {

// Standard streams, the epoll set and what the C library opens.
constexpr uint32_t spareFiles = 32;

bool parseNumber(const char* text, uint32_t max, uint32_t& value) {
  char* end = nullptr;
  const unsigned long parsed = std::strtoul(text, &end, 10);
  if (end == text || *end != '\0' || parsed > max) return false;
  value = static_cast<uint32_t>(parsed);
  return true;
}

bool parseOptions(int argc, char** argv, LoadOptions& options) {
  uint32_t port = 0;
  const std::map<std::string, uint32_t*> numbers{
      {"--port", &port},
      {"--clients", &options.clients},
      {"--first-number", &options.firstNumber},
      {"--connects-per-second", &options.connectsPerSec},
      {"--time-burst", &options.timeBurst},
      {"--time-interval-ms", &options.timeIntervalMs},
      {"--join-timeout-ms", &options.joinTimeoutMs},
      {"--warm-up-ms", &options.warmUpMs},
      {"--window-ms", &options.windowMs},
      {"--linger-ms", &options.lingerMs},
      {"--skip-early-chunks", &options.skipEarlyChunks},
  };
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) {
      std::fprintf(stderr, "load-client: %s needs a value\n", argv[i]);
      return false;
    }
    if (name == "--host") {
      options.host = argv[i + 1];
      continue;
    }
    const auto number = numbers.find(name);
    const uint32_t max = name == "--port" ? 65535 : 1000000;
    if (number == numbers.end() || !parseNumber(argv[i + 1], max, *number->second)) {
      std::fprintf(stderr, "load-client: bad option: %s %s\n", argv[i], argv[i + 1]);
      return false;
    }
  }
  options.port = static_cast<uint16_t>(port);
  if (port > 0 && options.clients > 0 && options.windowMs > 0) return true;
  std::fprintf(stderr, "load-client: --port, --clients and --window-ms must be above zero\n");
  return false;
}

bool raiseFileLimit(uint32_t clients) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_max >= clients + spareFiles) return true;
  std::fprintf(stderr, "load-client: %u clients need 'ulimit -Hn' of %u, it is %llu\n", clients,
               clients + spareFiles, static_cast<unsigned long long>(files.rlim_max));
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  LoadOptions options;
  if (!parseOptions(argc, argv, options)) return 2;
  if (!raiseFileLimit(options.clients)) return 2;
  return Load(options).run() ? 0 : 1;
}
