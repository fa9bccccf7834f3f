#pragma once

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <deque>
#include <map>
#include <vector>

#include "error-queue.hpp"
#include "input.hpp"
#include "system-calls.hpp"

namespace zerocast::fuzz {

// A kernel that takes what the input says, refuses what the input says, and keeps everything.
//
// Bytes of a zero-copy send are looked at twice, when it is accepted and when it is completed: in
// between nobody may have changed them.
struct FuzzKernel {
  struct PinnedSend {
    std::vector<iovec> pieces;
    std::vector<std::byte> bytes;
  };

  struct Socket {
    std::vector<std::byte> wire;
    std::map<std::uint32_t, PinnedSend> inFlight;
    std::deque<CompletionRange> completions;
    // What the peer has said and is not read yet, and whether it says no more.
    std::vector<std::byte> incoming;
    bool hasEnded = false;
    std::uint32_t nextId = 0;
    std::uint64_t plainBytes = 0, pinnedBytes = 0, plainSends = 0, pinnedSends = 0;
  };

  Input* input = nullptr;
  std::map<int, Socket> sockets;

  // Completes a range of what is in flight, as far as there is something.
  void completeSome(Socket& socket) {
    if (socket.inFlight.empty()) return;
    auto first = socket.inFlight.begin();
    std::advance(first, input->below(256) % socket.inFlight.size());
    complete(socket, first, 1 + input->below(8));
  }

  void completeAll(Socket& socket) {
    while (!socket.inFlight.empty()) complete(socket, socket.inFlight.begin(), 256);
  }

 private:
  using InFlight = std::map<std::uint32_t, PinnedSend>;

  // Only neighbours make one range.
  void complete(Socket& socket, InFlight::iterator send, std::uint32_t most) {
    const std::uint32_t first = send->first;
    std::uint32_t next = first;
    while (send != socket.inFlight.end() && send->first == next && next - first < most) {
      check(gather(send->second.pieces, SIZE_MAX) == send->second.bytes,
            "memory in flight stays as it is");
      send = socket.inFlight.erase(send);
      next += 1;
    }
    socket.completions.push_back({first, next - 1, input->flip()});
  }

 public:
  static std::vector<std::byte> gather(const std::vector<iovec>& pieces, std::size_t most) {
    std::vector<std::byte> bytes;
    for (const iovec& piece : pieces) {
      const std::size_t part = std::min(piece.iov_len, most - bytes.size());
      const auto* const from = static_cast<const std::byte*>(piece.iov_base);
      bytes.insert(bytes.end(), from, from + part);
    }
    return bytes;
  }
};

inline FuzzKernel kernel;

inline ssize_t fuzzedSendmsg(int fd, const msghdr* message, int flags) {
  check((flags & MSG_DONTWAIT) != 0 && (flags & MSG_NOSIGNAL) != 0, "sending never waits or kills");
  check(message->msg_iovlen <= 1024, "no more pieces than the kernel takes");
  const bool pins = (flags & MSG_ZEROCOPY) != 0;
  Input& input = *kernel.input;
  const std::uint32_t answer = input.below(8);
  if (answer == 0) {
    const int errors[] = {EAGAIN, EINTR, EPIPE, ECONNRESET, pins ? ENOBUFS : EAGAIN, EBADF};
    // Whoever is interrupted tries again: not for ever.
    errno = input.hasMore() ? errors[input.below(6)] : EAGAIN;
    return -1;
  }
  const std::vector<iovec> pieces(message->msg_iov, message->msg_iov + message->msg_iovlen);
  std::size_t bytes = FuzzKernel::gather(pieces, SIZE_MAX).size();
  if (answer == 1) {
    // Right up to a border between two pieces.
    const auto whole = static_cast<std::ptrdiff_t>(input.byte() % pieces.size());
    bytes = FuzzKernel::gather({pieces.begin(), pieces.begin() + whole}, SIZE_MAX).size();
  } else if (answer < 4) {
    bytes = std::min<std::size_t>(bytes, input.someNumber() % 70000);
  }
  if (bytes == 0) {
    errno = EAGAIN;
    return -1;
  }
  FuzzKernel::Socket& socket = kernel.sockets[fd];
  const std::vector<std::byte> taken = FuzzKernel::gather(pieces, bytes);
  socket.wire.insert(socket.wire.end(), taken.begin(), taken.end());
  (pins ? socket.pinnedBytes : socket.plainBytes) += bytes;
  (pins ? socket.pinnedSends : socket.plainSends) += 1;
  if (pins) {
    std::vector<iovec> held = pieces;
    std::size_t left = bytes;
    for (iovec& piece : held) {
      piece.iov_len = std::min(piece.iov_len, left);
      left -= piece.iov_len;
    }
    socket.inFlight[socket.nextId++] = {held, taken};
  }
  return static_cast<ssize_t>(bytes);
}

// A stamp of any time, or none.
inline void stampArrival(msghdr* message, Input& input) {
  timespec stamp{};
  clock_gettime(CLOCK_REALTIME, &stamp);
  const std::uint32_t kind = input.below(4);
  if (kind == 1) stamp.tv_sec += static_cast<std::int32_t>(input.word());
  if (kind == 2) stamp = {};
  cmsghdr* const header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_TIMESTAMPNS;
  // A kernel shortens what it has no room for.
  header->cmsg_len = kind == 3 ? CMSG_LEN(4) : CMSG_LEN(sizeof stamp);
  std::memcpy(CMSG_DATA(header), &stamp, sizeof stamp);
  message->msg_controllen = CMSG_SPACE(sizeof stamp);
}

inline ssize_t fuzzedRead(FuzzKernel::Socket& socket, msghdr* message) {
  Input& input = *kernel.input;
  if (input.below(16) == 1) {
    const int errors[] = {EAGAIN, EINTR, ECONNRESET, ETIMEDOUT};
    errno = input.hasMore() ? errors[input.below(4)] : EAGAIN;
    return -1;
  }
  const iovec& into = message->msg_iov[0];
  std::size_t bytes = std::min(socket.incoming.size(), into.iov_len);
  if (bytes > 1 && input.flip()) bytes = 1 + input.someNumber() % bytes;
  if (bytes == 0 && !socket.hasEnded) {
    errno = EAGAIN;
    return -1;
  }
  const auto end = socket.incoming.begin() + static_cast<std::ptrdiff_t>(bytes);
  std::copy(socket.incoming.begin(), end, static_cast<std::byte*>(into.iov_base));
  socket.incoming.erase(socket.incoming.begin(), end);
  if (input.flip()) stampArrival(message, input);
  else message->msg_controllen = 0;
  return static_cast<ssize_t>(bytes);
}

inline ssize_t fuzzedRecvmsg(int fd, msghdr* message, int flags) {
  check((flags & MSG_DONTWAIT) != 0, "reading never waits");
  FuzzKernel::Socket& socket = kernel.sockets[fd];
  if ((flags & MSG_ERRQUEUE) == 0) return fuzzedRead(socket, message);
  if (socket.completions.empty()) {
    errno = EAGAIN;
    return -1;
  }
  const CompletionRange range = socket.completions.front();
  socket.completions.pop_front();
  sock_extended_err report{};
  report.ee_origin = SO_EE_ORIGIN_ZEROCOPY;
  report.ee_code = range.copied ? SO_EE_CODE_ZEROCOPY_COPIED : 0;
  report.ee_info = range.first;
  report.ee_data = range.last;
  cmsghdr* const header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_IP;
  header->cmsg_type = IP_RECVERR;
  header->cmsg_len = CMSG_LEN(sizeof report);
  std::memcpy(CMSG_DATA(header), &report, sizeof report);
  message->msg_controllen = CMSG_SPACE(sizeof report);
  return 0;
}

inline SystemCalls fuzzedCalls(Input& input) {
  kernel = {};
  kernel.input = &input;
  return {fuzzedSendmsg, fuzzedRecvmsg};
}

}  // namespace zerocast::fuzz
