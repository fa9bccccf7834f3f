#include "peer-network.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

#include "wire.h"

namespace {

// The peers have an address of their own, so nobody else uses its ports.
constexpr uint16_t firstPort = 2000;
// So many frames at most are read before what they owe is acknowledged.
constexpr int framesPerTurn = 64;
constexpr int64_t retryUs = 50000;
// The longest frame that segmentation offload makes of IPv4.
constexpr size_t longestFrameBytes = 14 + 65535;

}  // namespace

PeerNetwork::PeerNetwork(const NetworkOptions& options, PeerListener& listener)
    : options_(options),
      listener_(listener),
      tap_(options.tapPath, options.headersOnly ? maxHeaderBytes : longestFrameBytes) {
  for (uint32_t number = 0; number < options.peers; number++) {
    peers_.emplace_back(static_cast<uint16_t>(firstPort + number), options.serverPort);
  }
}

PeerNetwork::~PeerNetwork() {
  for (TcpPeer& peer : peers_) {
    if (peer.isConnected()) transmit(peer.makeReset());
  }
}

void PeerNetwork::transmit(const Segment& segment) {
  if (failure().empty()) (void)tap_.write(buildFrame(segment, options_.ends, buffer_));
}

void PeerNetwork::connect(uint32_t number) { transmit(peers_[number].makeSyn()); }

void PeerNetwork::send(uint32_t number, std::span<const uint8_t> request) {
  transmit(peers_[number].makeRequest(request));
}

void PeerNetwork::poll(int64_t waitUs) {
  if (!failure().empty()) return;
  const int64_t untilRetryUs = retryAtUs_ == INT64_MAX ? waitUs : retryAtUs_ - monotonicUs();
  const int64_t leastUs = std::max<int64_t>(0, std::min(waitUs, untilRetryUs));
  const timespec wait{leastUs / 1000000, leastUs % 1000000 * 1000};
  pollfd readable{tap_.fd(), POLLIN, 0};
  ppoll(&readable, 1, &wait, nullptr);
  for (int i = 0; i < framesPerTurn; i++) {
    const std::span<const uint8_t> frame = tap_.read();
    if (frame.empty()) break;
    if (const auto segment = parseSegment(frame, options_.ends)) dispatch(*segment);
  }
  acknowledgeAll();
  retryRefused();
}

void PeerNetwork::dispatch(const Segment& segment) {
  const auto number = static_cast<uint32_t>(segment.peerPort - firstPort);
  if (segment.peerPort < firstPort || number >= peers_.size()) return;
  TcpPeer& peer = peers_[number];
  if (segment.payloadBytes > 0) payloadSegments_ += 1;
  const bool owed = peer.owesAck();
  hear(number, segment);
  while (const auto held = peer.takeHeld()) hear(number, held->segment);
  if (!owed && peer.owesAck()) owing_.push_back(number);
}

void PeerNetwork::hear(uint32_t number, const Segment& segment) {
  TcpPeer& peer = peers_[number];
  const Heard heard = peer.hear(segment);
  switch (heard.what) {
    case Heard::What::nothing:
      return;
    case Heard::What::connected:
      return listener_.onConnected(number);
    case Heard::What::bytes:
      return listener_.onBytes(number, heard.payload, heard.payloadBytes);
    case Heard::What::refused:
      if (refused_.empty()) retryAtUs_ = monotonicUs() + retryUs;
      return refused_.push_back(number);
    case Heard::What::closed:
      if (heard.payloadBytes > 0) listener_.onBytes(number, heard.payload, heard.payloadBytes);
      transmit(peer.makeReset());
      return listener_.onClosed(number);
    case Heard::What::broken:
      return listener_.onBroken(number, heard.why);
  }
}

void PeerNetwork::acknowledgeAll() {
  for (const uint32_t number : owing_) {
    // A request that was sent meanwhile has acknowledged already.
    if (peers_[number].owesAck()) transmit(peers_[number].makeAck());
  }
  owing_.clear();
}

void PeerNetwork::retryRefused() {
  if (refused_.empty() || monotonicUs() < retryAtUs_) return;
  retryAtUs_ = INT64_MAX;
  for (const uint32_t number : std::exchange(refused_, {})) connect(number);
}

PathCounts PeerNetwork::pathCounts() const {
  PathCounts sum;
  for (const TcpPeer& peer : peers_) sum += peer.pathCounts();
  return sum;
}

void PeerNetwork::addTo(JsonLine& line) const {
  const PathCounts counts = pathCounts();
  line.add("payloadSegments", payloadSegments_);
  line.add("repeatedSegments", counts.repeated);
  line.add("earlySegments", counts.early);
  line.add("lostSegments", counts.lost);
}
