#include "segment.hpp"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstring>

namespace {

constexpr size_t ipAt = sizeof(ether_header);
constexpr size_t tcpAt = ipAt + sizeof(iphdr);
// The window never closes: 65535 << 14 is one gigabyte.
constexpr uint16_t window = 65535;
constexpr uint8_t windowScale = 14;
// For an MTU of 1500.
constexpr uint16_t segmentBytes = 1460;

// The sum of 16-bit words in the Internet checksum (RFC 1071), not yet folded.
uint32_t addWords(const uint8_t* at, size_t bytes, uint32_t sum) {
  for (; bytes > 1; at += 2, bytes -= 2) sum += static_cast<uint32_t>(at[0]) << 8 | at[1];
  return bytes == 1 ? sum + (static_cast<uint32_t>(at[0]) << 8) : sum;
}

uint16_t foldChecksum(uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<uint16_t>(~sum));
}

size_t putOptions(uint8_t* at) {
  const uint8_t options[8] = {2, 4, segmentBytes >> 8, segmentBytes & 0xff, 1, 3, 3, windowScale};
  std::memcpy(at, options, sizeof options);
  return sizeof options;
}

void putEthernet(uint8_t* at, const PathEnds& ends) {
  ether_header header{};
  std::memcpy(header.ether_dhost, ends.serverMac.data(), ends.serverMac.size());
  std::memcpy(header.ether_shost, ends.peerMac.data(), ends.peerMac.size());
  header.ether_type = htons(ETHERTYPE_IP);
  std::memcpy(at, &header, sizeof header);
}

void putIp(uint8_t* at, const PathEnds& ends, size_t tcpBytes) {
  iphdr header{};
  header.version = 4;
  header.ihl = sizeof header / 4;
  header.tot_len = htons(static_cast<uint16_t>(sizeof header + tcpBytes));
  header.frag_off = htons(IP_DF);
  header.ttl = IPDEFTTL;
  header.protocol = IPPROTO_TCP;
  header.saddr = ends.peer.s_addr;
  header.daddr = ends.server.s_addr;
  std::memcpy(at, &header, sizeof header);
  header.check = foldChecksum(addWords(at, sizeof header, 0));
  std::memcpy(at, &header, sizeof header);
}

uint16_t tcpChecksum(const uint8_t* tcp, size_t bytes, const PathEnds& ends) {
  uint32_t sum = IPPROTO_TCP + static_cast<uint32_t>(bytes);
  for (const in_addr& address : {ends.peer, ends.server}) {
    sum = addWords(reinterpret_cast<const uint8_t*>(&address), sizeof address, sum);
  }
  return foldChecksum(addWords(tcp, bytes, sum));
}

}  // namespace

std::optional<Segment> parseSegment(std::span<const uint8_t> bytes, const PathEnds& ends) {
  if (bytes.size() < tcpAt + sizeof(tcphdr)) return std::nullopt;
  ether_header ethernet;
  iphdr ip;
  tcphdr tcp;
  std::memcpy(&ethernet, bytes.data(), sizeof ethernet);
  std::memcpy(&ip, bytes.data() + ipAt, sizeof ip);
  std::memcpy(&tcp, bytes.data() + tcpAt, sizeof tcp);
  if (ethernet.ether_type != htons(ETHERTYPE_IP) || ip.version != 4 || ip.ihl != 5 ||
      ip.protocol != IPPROTO_TCP || ip.saddr != ends.server.s_addr ||
      ip.daddr != ends.peer.s_addr) {
    return std::nullopt;
  }
  const size_t payloadAt = tcpAt + size_t{tcp.doff} * 4;
  // Only the IP header knows where the frame ends: it may be padded, or read in part.
  const size_t endsAt = ipAt + ntohs(ip.tot_len);
  if (payloadAt > endsAt || payloadAt > bytes.size()) return std::nullopt;
  Segment segment;
  segment.serverPort = ntohs(tcp.source);
  segment.peerPort = ntohs(tcp.dest);
  segment.sequence = ntohl(tcp.seq);
  segment.acknowledged = ntohl(tcp.ack_seq);
  segment.flags = tcp.th_flags;
  segment.payloadBytes = endsAt - payloadAt;
  segment.payload = bytes.subspan(payloadAt, std::min(endsAt, bytes.size()) - payloadAt);
  return segment;
}

std::span<const uint8_t> buildFrame(const Segment& segment, const PathEnds& ends,
                                    FrameBuffer& buffer) {
  uint8_t* const at = buffer.data() + tcpAt;
  size_t tcpBytes = sizeof(tcphdr);
  if ((segment.flags & flagSyn) != 0) tcpBytes += putOptions(at + tcpBytes);
  tcphdr header{};
  header.source = htons(segment.peerPort);
  header.dest = htons(segment.serverPort);
  header.seq = htonl(segment.sequence);
  header.ack_seq = htonl(segment.acknowledged);
  header.doff = static_cast<uint16_t>(tcpBytes / 4) & 0xf;
  header.th_flags = segment.flags;
  header.window = htons(window);
  std::memcpy(at, &header, sizeof header);
  if (!segment.payload.empty()) {
    std::memcpy(at + tcpBytes, segment.payload.data(), segment.payload.size());
    tcpBytes += segment.payload.size();
  }
  header.check = tcpChecksum(at, tcpBytes, ends);
  std::memcpy(at, &header, sizeof header);
  putEthernet(buffer.data(), ends);
  putIp(buffer.data() + ipAt, ends, tcpBytes);
  return {buffer.data(), tcpAt + tcpBytes};
}
