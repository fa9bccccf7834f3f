#include "tap.hpp"

#ifdef __linux__

#include "error-queue.hpp"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "loopback.hpp"
#include "slab.hpp"

using zerocast::CompletionRange;
using zerocast::readCompletions;
using zerocast::Slab;
using zerocast::SystemCalls;
using namespace zerocast::test;

namespace {

constexpr std::uint32_t sends = 6;
constexpr ssize_t sendBytes = 32 * 1024;
constexpr int patienceMs = 10'000;

bool sendZeroCopy(const Connection& connection, const Slab& slab) {
  iovec piece{slab.data(), sendBytes};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  return sendmsg(connection.sender.fd(), &message, MSG_ZEROCOPY | MSG_DONTWAIT) == sendBytes;
}

// Whether an error or a completion waits, or comes in time.
bool awaitErrorQueue(const Socket& socket) {
  pollfd watched{socket.fd(), 0, 0};
  return poll(&watched, 1, patienceMs) == 1;
}

bool receiveAll(const Connection& connection) {
  ssize_t bytes = sendBytes;
  std::vector<std::byte> buffer(64 * 1024);
  while (bytes > 0) {
    const ssize_t got = recv(connection.receiver.fd(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return false;
    bytes -= got;
  }
  return true;
}

struct Seen {
  std::uint32_t numbers = 0;
  std::uint32_t ranges = 0;
  bool inOrder = true;
  bool allCopied = true;

  void note(const CompletionRange& range) {
    ++ranges;
    inOrder = inOrder && range.first == numbers && range.last >= range.first && range.last < sends;
    numbers = range.last + 1;
    allCopied = allCopied && range.copied;
  }
};

// Everything that the kernel says about `sends` sends; `together`: read only after the last.
Seen completeSends(Run& t, const Connection& connection, const Slab& slab, bool together) {
  Seen seen;
  const auto note = [&seen](const CompletionRange& range) { seen.note(range); };
  std::uint32_t reported = 0;
  for (std::uint32_t send = 0; send < sends; ++send) {
    const bool passed = sendZeroCopy(connection, slab) && receiveAll(connection);
    t.expect(passed, "the kernel takes the send and the peer gets its bytes");
    if (!passed) return seen;
    if (together) continue;
    t.expect(awaitErrorQueue(connection.sender), "a completion comes");
    reported += readCompletions(connection.sender.fd(), SystemCalls{}, note);
  }
  while (seen.numbers < sends && awaitErrorQueue(connection.sender)) {
    reported += readCompletions(connection.sender.fd(), SystemCalls{}, note);
  }
  t.expect(seen.numbers == sends, "every send is completed");
  t.expect(reported == seen.ranges, "it returns how many ranges it has read");
  return seen;
}

using Connect = std::optional<Connection> (*)();

void expectCompletions(Run& t, Connect connectPeer, bool together) {
  const auto connection = connectPeer();
  const auto slab = Slab::allocate(sendBytes);
  t.expect(connection.has_value(), "there is a connection that can send without a copy");
  if (!connection || !slab) return;
  const auto nobody = [](const CompletionRange&) {};
  t.expect(readCompletions(connection->sender.fd(), SystemCalls{}, nobody) == 0,
           "nothing waits before the first send");
  const Seen seen = completeSends(t, *connection, *slab, together);
  t.expect(seen.inOrder, "the numbers start at 0 and none is missing");
  t.expect(seen.allCopied, "the kernel copies on loopback");
  t.expect(readCompletions(connection->sender.fd(), SystemCalls{}, nobody) == 0, "nothing is left");
  pollfd watched{connection->sender.fd(), 0, 0};
  t.expect(poll(&watched, 1, 0) == 0, "the socket reports no error any more");
}

void testRealSockets(Run& run) {
  run.it("reads the completions of an IPv4 socket", [](Run& t) {
    expectCompletions(t, connectIpv4, false);
  });
  run.it("reads the completions of a dual-stack socket with an IPv4 peer", [](Run& t) {
    expectCompletions(t, connectDualStack, false);
  });
  run.it("reads completions that have gathered, to the last", [](Run& t) {
    expectCompletions(t, connectIpv4, true);
    expectCompletions(t, connectDualStack, true);
  });

  run.it("returns at once from something that is no socket", [](Run& t) {
    const auto nobody = [](const CompletionRange&) {};
    t.expect(readCompletions(-1, SystemCalls{}, nobody) == 0, "no descriptor");
    t.expect(readCompletions(STDIN_FILENO, SystemCalls{}, nobody) == 0, "not a socket");
  });
}

// What `recvmsg` answers: control messages, or the number of an error.
struct Answer {
  std::vector<std::pair<std::array<int, 2>, sock_extended_err>> reports;
  int error = 0;
  // Room for so many bytes of control data only, as if the caller had brought less.
  std::size_t controlLimit = SIZE_MAX;
};

struct Script {
  std::vector<Answer> answers;
  std::size_t calls = 0;
  bool fresh = true;
  bool never = false;
} script;

// As the kernel's put_cmsg does: what does not fit is cut, and the message says so.
void putReport(msghdr& message, std::size_t& used, const std::array<int, 2>& kind,
               const sock_extended_err& error, std::size_t limit) {
  const std::size_t room = std::min(message.msg_controllen, limit) - used;
  if (room < sizeof(cmsghdr)) {
    message.msg_flags |= MSG_CTRUNC;
    return;
  }
  std::size_t length = CMSG_LEN(sizeof error);
  if (room < length) {
    message.msg_flags |= MSG_CTRUNC;
    length = room;
  }
  auto* const at = static_cast<std::byte*>(message.msg_control) + used;
  cmsghdr header{};
  header.cmsg_len = length;
  header.cmsg_level = kind[0];
  header.cmsg_type = kind[1];
  std::memcpy(at, &header, sizeof header);
  std::memcpy(at + CMSG_LEN(0), &error, length - CMSG_LEN(0));
  used += std::min(room, CMSG_SPACE(sizeof error));
}

ssize_t scriptedRecvmsg(int, msghdr* message, int flags) {
  constexpr std::size_t reportBytes = sizeof(sock_extended_err) + sizeof(sockaddr_in6);
  script.fresh = script.fresh && flags == (MSG_ERRQUEUE | MSG_DONTWAIT) &&
                 message->msg_controllen >= CMSG_SPACE(reportBytes) && message->msg_flags == 0;
  const std::size_t call = script.calls++;
  if (!script.never && call >= script.answers.size()) {
    errno = EAGAIN;
    return -1;
  }
  const Answer& answer = script.answers[call % script.answers.size()];
  if (answer.error != 0) {
    errno = answer.error;
    return -1;
  }
  std::size_t used = 0;
  for (const auto& [kind, error] : answer.reports) {
    putReport(*message, used, kind, error, answer.controlLimit);
  }
  message->msg_controllen = used;
  message->msg_flags |= MSG_ERRQUEUE;
  return 0;
}

constexpr std::array<int, 2> ipv4{SOL_IP, IP_RECVERR};
constexpr std::array<int, 2> ipv6{SOL_IPV6, IPV6_RECVERR};

sock_extended_err completion(std::uint32_t first, std::uint32_t last, bool copied = false) {
  sock_extended_err error{};
  error.ee_origin = SO_EE_ORIGIN_ZEROCOPY;
  error.ee_code = copied ? SO_EE_CODE_ZEROCOPY_COPIED : 0;
  error.ee_info = first;
  error.ee_data = last;
  return error;
}

std::vector<CompletionRange> readScripted(std::vector<Answer> answers, bool never = false) {
  script = {.answers = std::move(answers), .calls = 0, .fresh = true, .never = never};
  SystemCalls system;
  system.recvmsg = scriptedRecvmsg;
  std::vector<CompletionRange> ranges;
  const auto count = readCompletions(
      -1, system, [&ranges](const CompletionRange& range) { ranges.push_back(range); });
  if (count != ranges.size()) ranges.clear();
  return ranges;
}

bool isRange(const CompletionRange& range, std::uint32_t first, std::uint32_t last, bool copied) {
  return range.first == first && range.last == last && range.copied == copied;
}

void testScripts(Run& run) {
  run.it("passes merged and wrapping ranges on as they are, with what was copied", [](Run& t) {
    const auto ranges = readScripted({
        {.reports = {{ipv4, completion(3, 90, true)}}},
        {.reports = {{ipv6, completion(UINT32_MAX - 1, 4)}}},
        {.reports = {{ipv4, completion(5, 5)}}},
    });
    t.expect(ranges.size() == 3, "three ranges");
    if (ranges.size() != 3) return;
    t.expect(isRange(ranges[0], 3, 90, true), "the merged one");
    t.expect(isRange(ranges[1], UINT32_MAX - 1, 4, false), "the one that wraps");
    t.expect(isRange(ranges[2], 5, 5, false), "the single one");
  });

  run.it("brings the whole room for control data to every call", [](Run& t) {
    const Answer one{.reports = {{ipv4, completion(0, 0)}}};
    t.expect(readScripted({one, one, {.reports = {}}, one}).size() == 3, "all are read");
    t.expect(script.fresh, "each call starts afresh");
  });

  run.it("ignores reports that are none of ours, and reads on", [](Run& t) {
    sock_extended_err icmp = completion(1, 1);
    icmp.ee_origin = SO_EE_ORIGIN_ICMP;
    sock_extended_err timestamp = completion(2, 2);
    timestamp.ee_origin = SO_EE_ORIGIN_TIMESTAMPING;
    sock_extended_err failed = completion(3, 3);
    failed.ee_errno = ENOMSG;
    const auto ranges = readScripted({
        {.reports = {{ipv4, icmp}}},
        {.reports = {{ipv6, timestamp}}},
        {.reports = {{ipv4, failed}}},
        {.reports = {{{SOL_SOCKET, IP_RECVERR}, completion(4, 4)}}},
        {.reports = {{{SOL_IP, IPV6_RECVERR}, completion(5, 5)}}},
        {.reports = {{{SOL_IPV6, IP_RECVERR}, completion(6, 6)}}},
        {.reports = {}},
        {.reports = {{ipv4, completion(7, 7)}}},
    });
    t.expect(ranges.size() == 1 && isRange(ranges[0], 7, 7, false), "only the completion counts");
  });

  run.it("finds the completion behind other control messages", [](Run& t) {
    const auto ranges = readScripted({{
        .reports = {{{SOL_SOCKET, SCM_RIGHTS}, completion(1, 1)}, {ipv4, completion(2, 3)}},
    }});
    t.expect(ranges.size() == 1 && isRange(ranges[0], 2, 3, false), "it is found");
  });

  run.it("makes up no numbers from control data that was cut off at any byte", [](Run& t) {
    for (std::size_t bytes = 0; bytes < CMSG_LEN(sizeof(sock_extended_err)); ++bytes) {
      const auto ranges = readScripted({
          {.reports = {{ipv4, completion(1, 2)}}, .error = 0, .controlLimit = bytes},
          {.reports = {{ipv4, completion(3, 4)}}},
      });
      t.expect(ranges.size() == 1 && isRange(ranges[0], 3, 4, false), "only the whole one counts");
    }
    const auto ranges = readScripted({{
        .reports = {{ipv4, completion(1, 2)}, {ipv6, completion(3, 4)}},
        .error = 0,
        .controlLimit = CMSG_SPACE(sizeof(sock_extended_err)) + 3,
    }});
    t.expect(ranges.size() == 1 && isRange(ranges[0], 1, 2, false),
             "what is whole counts although the rest was cut off");
  });

  run.it("tries again after an interrupted call and ends at an error", [](Run& t) {
    const Answer one{.reports = {{ipv4, completion(0, 0)}}};
    const Answer interrupted{.reports = {}, .error = EINTR};
    t.expect(readScripted({interrupted, interrupted, one, interrupted, one}).size() == 2,
             "interruptions cost nothing");
    t.expect(readScripted({one, {.reports = {}, .error = ENOTCONN}, one}).size() == 1,
             "an error is the end");
    t.expect(script.calls == 2, "and is not asked again");
  });

  run.it("ends although the queue never does", [](Run& t) {
    const Answer one{.reports = {{ipv4, completion(0, 0)}}};
    t.expect(readScripted({one}, true).size() == zerocast::maxErrorQueueReads, "completions");
    readScripted({{.reports = {}}}, true);
    t.expect(script.calls == zerocast::maxErrorQueueReads, "foreign messages");
    readScripted({{.reports = {}, .error = EINTR}}, true);
    t.expect(script.calls == zerocast::maxErrorQueueReads, "interruptions");
  });
}

}  // namespace

int main() {
  Run run;
  testRealSockets(run);
  testScripts(run);
  return run.finish();
}

#else

int main() { return zerocast::test::Run{}.finish(); }

#endif
