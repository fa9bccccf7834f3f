// Many TCP peers in user space behind a macvtap: the far end of a path on which MSG_ZEROCOPY is
// real, because the device takes packets without making the kernel copy their payload first.
//
//   tap-peers --tap PATH --host ADDRESS --peer-host ADDRESS --server-mac MAC --peer-mac MAC
//             --port PORT [--name value ...]
//
// As load-client it plays snapclients and prints one JSON line per event and one with the result.
// With --sink 1 the peers speak no protocol: they take all bytes until the server closes.
// Exit status 0: everything that was due arrived; 1: it did not, see "problems"; 2: usage.

#include <arpa/inet.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "peer-load.hpp"
#include "peer-sink.hpp"

namespace {

// Ports of the one address that the peers share.
constexpr uint32_t maxPeers = 60000;

struct Options {
  NetworkOptions network;
  PeerLoadOptions load;
  uint32_t sink = 0;
};

bool parseNumber(const char* text, uint32_t max, uint32_t& value) {
  char* end = nullptr;
  const unsigned long parsed = std::strtoul(text, &end, 10);
  if (end == text || *end != '\0' || parsed > max) return false;
  value = static_cast<uint32_t>(parsed);
  return true;
}

bool parseMac(const char* text, MacAddress& mac) {
  unsigned part[6];
  char rest = 0;
  if (std::sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", part, part + 1, part + 2, part + 3, part + 4,
                  part + 5, &rest) != 6) {
    return false;
  }
  for (size_t i = 0; i < mac.size(); i++) mac[i] = static_cast<uint8_t>(part[i]);
  return true;
}

bool parseOption(const std::string& name, const char* value, uint32_t& port, Options& options) {
  NetworkOptions& network = options.network;
  if (name == "--tap") {
    network.tapPath = value;
    return true;
  }
  if (name == "--host") return inet_pton(AF_INET, value, &network.ends.server) == 1;
  if (name == "--peer-host") return inet_pton(AF_INET, value, &network.ends.peer) == 1;
  if (name == "--server-mac") return parseMac(value, network.ends.serverMac);
  if (name == "--peer-mac") return parseMac(value, network.ends.peerMac);
  const std::map<std::string, uint32_t*> numbers{
      {"--port", &port},
      {"--sink", &options.sink},
      {"--clients", &network.peers},
      {"--connects-per-second", &options.load.connectsPerSec},
      {"--time-burst", &options.load.timeBurst},
      {"--time-interval-ms", &options.load.timeIntervalMs},
      {"--join-timeout-ms", &options.load.joinTimeoutMs},
      {"--warm-up-ms", &options.load.warmUpMs},
      {"--window-ms", &options.load.windowMs},
  };
  const auto number = numbers.find(name);
  const uint32_t max = name == "--port" ? 65535 : name == "--clients" ? maxPeers : 1000000;
  return number != numbers.end() && parseNumber(value, max, *number->second);
}

bool parseOptions(int argc, char** argv, Options& options) {
  uint32_t port = 0;
  for (int i = 1; i < argc; i += 2) {
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (!parseOption(argv[i], value, port, options)) {
      std::fprintf(stderr, "tap-peers: bad option: %s %s\n", argv[i], value);
      return false;
    }
  }
  NetworkOptions& network = options.network;
  network.serverPort = static_cast<uint16_t>(port);
  network.headersOnly = options.sink != 0;
  if (port > 0 && network.peers > 0 && options.load.windowMs > 0 && !network.tapPath.empty() &&
      network.ends.server.s_addr != 0 && network.ends.peer.s_addr != 0) {
    return true;
  }
  std::fprintf(stderr, "tap-peers: --tap, both hosts, --port and --clients are needed\n");
  return false;
}

bool runSink(const Options& options) {
  const PeerLoadOptions& load = options.load;
  return PeerSink(options.network, load.joinTimeoutMs, load.connectsPerSec).run();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parseOptions(argc, argv, options)) return 2;
  const bool whole =
      options.sink != 0 ? runSink(options) : PeerLoad(options.network, options.load).run();
  return whole ? 0 : 1;
}
