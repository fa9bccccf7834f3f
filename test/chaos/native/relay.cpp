// Joins two network namespaces by a way that loses, delays and holds back packets.
//
//   relay NAMESPACE-FILE SEED
//
// Makes the interface "near" in its own namespace and "far" in the other one, prints "ready" when
// both are there, and then takes lines from its standard input: "link LOSS-PERCENT DELAY-MS
// KILOBYTES-PER-SECOND UP". It ends with its standard input.

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>

#include "bad-link.hpp"
#include "tun-device.hpp"

namespace {

constexpr int idleMs = 1000;

int64_t nowUs() {
  const auto sinceStart = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(sinceStart).count();
}

[[noreturn]] void fail(const std::string& reason) {
  std::fprintf(stderr, "relay: %s\n", reason.c_str());
  std::exit(1);
}

void enterNamespace(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) {
    fail(std::string("enter ") + path + ": " + std::strerror(errno));
  }
  close(fd);
}

struct Direction {
  TunDevice& from;
  TunDevice& to;
  BadLink link;
};

void move(Direction& direction, const LinkQuality& quality) {
  for (;;) {
    const auto packet = direction.from.read();
    if (packet.empty()) break;
    direction.link.enter(packet, nowUs(), quality);
  }
  if (!direction.from.failure().empty()) fail(direction.from.failure());
  while (const auto packet = direction.link.leave(nowUs())) direction.to.write(*packet);
}

// Takes what has come on the standard input; false at its end.
bool readCommands(std::string& text, LinkQuality& quality) {
  char bytes[512];
  const ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
  if (got <= 0) return got < 0 && (errno == EINTR || errno == EAGAIN);
  text.append(bytes, static_cast<size_t>(got));
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
    const std::string line = text.substr(0, end);
    text.erase(0, end + 1);
    LinkQuality wanted;
    int isUp = 1;
    if (std::sscanf(line.c_str(), "link %lf %lf %lf %d", &wanted.lossPercent, &wanted.delayMs,
                    &wanted.kilobytesPerSecond, &isUp) != 4) {
      fail("not understood: " + line);
    }
    wanted.isUp = isUp != 0;
    quality = wanted;
  }
  return true;
}

timespec untilNextPacket(const Direction& out, const Direction& back) {
  int64_t waitUs = idleMs * 1000;
  for (const Direction* direction : {&out, &back}) {
    waitUs = std::min(waitUs, direction->link.waitUs(nowUs()).value_or(waitUs));
  }
  return {waitUs / 1'000'000, waitUs % 1'000'000 * 1000};
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) fail("usage: relay NAMESPACE-FILE SEED");
  const uint64_t seed = std::strtoull(arguments[2], nullptr, 10);
  TunDevice near("near");
  if (!near.failure().empty()) fail(near.failure());
  enterNamespace(arguments[1]);
  TunDevice far("far");
  if (!far.failure().empty()) fail(far.failure());
  Direction out{near, far, BadLink(seed)};
  Direction back{far, near, BadLink(seed + 1)};
  std::cout << "ready" << std::endl;
  LinkQuality quality;
  std::string text;
  for (;;) {
    pollfd ready[3] = {{near.fd(), POLLIN, 0}, {far.fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    const timespec wait = untilNextPacket(out, back);
    if (ppoll(ready, 3, &wait, nullptr) < 0 && errno != EINTR) fail(std::strerror(errno));
    if (ready[2].revents != 0 && !readCommands(text, quality)) break;
    move(out, quality);
    move(back, quality);
  }
  std::cout << "lost " << out.link.lost() + back.link.lost() << std::endl;
  return 0;
}
