#include "tcp-facts.hpp"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace zerocast {

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

// An older kernel writes the beginning of the structure only.
template <typename Field>
double known(const tcp_info& info, socklen_t bytes, const Field& field) noexcept {
  const auto end = reinterpret_cast<const char*>(&field + 1) - reinterpret_cast<const char*>(&info);
  return static_cast<std::ptrdiff_t>(bytes) >= end ? static_cast<double>(field) : unknown;
}

}  // namespace

int readTcpFacts(int fd, std::span<double, tcpFactCount> into) noexcept {
  std::ranges::fill(into, unknown);
  tcp_info info{};
  socklen_t bytes = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0) return errno;
  const auto put = [&](TcpFact fact, double value) {
    into[static_cast<std::size_t>(fact)] = value;
  };
  put(TcpFact::roundTripUs, known(info, bytes, info.tcpi_rtt));
  put(TcpFact::roundTripDeviationUs, known(info, bytes, info.tcpi_rttvar));
  put(TcpFact::leastRoundTripUs, known(info, bytes, info.tcpi_min_rtt));
  put(TcpFact::unsentBytes, known(info, bytes, info.tcpi_notsent_bytes));
  put(TcpFact::retransmissions, known(info, bytes, info.tcpi_total_retrans));
  put(TcpFact::timeouts, known(info, bytes, info.tcpi_retransmits));
  put(TcpFact::ackAgeMs, known(info, bytes, info.tcpi_last_ack_recv));
  put(TcpFact::deliveryBytesPerSecond, known(info, bytes, info.tcpi_delivery_rate));
  put(TcpFact::receiverLimitedUs, known(info, bytes, info.tcpi_rwnd_limited));
  int queued = 0;
  if (::ioctl(fd, SIOCOUTQ, &queued) == 0) put(TcpFact::queuedBytes, queued);
  return 0;
}

}  // namespace zerocast
