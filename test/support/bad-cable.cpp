// A cable between two TUN devices that are there already, as bad as it is told: what netem of tc
// does, on kernels that have none.
//
//   bad-cable DEVICE DEVICE
//
// Prints "ready", then reads lines "LOSS DELAY JITTER RATE" (percent, ms, ms, kbit/s or 0), which
// hold for both ways from then on. Packets stay in their order.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

namespace {

using Time = std::chrono::steady_clock::time_point;
using Ms = std::chrono::duration<double, std::milli>;

// As much as a small router keeps.
constexpr std::size_t maxQueuedBytes = 256 * 1024;

struct Settings {
  double lossPercent = 0;
  double delayMs = 0;
  double jitterMs = 0;
  double kbitPerSecond = 0;
};

struct Packet {
  Time due;
  std::vector<char> bytes;
};

Time after(Time time, double ms) {
  return time + std::chrono::duration_cast<std::chrono::steady_clock::duration>(Ms(ms));
}

class Way {
 public:
  Way(int from, int to) : from_(from), to_(to) {}

  void take(const Settings& settings, std::mt19937& random) {
    std::vector<char> bytes(2048);
    const ssize_t size = read(from_, bytes.data(), bytes.size());
    if (size <= 0) return;
    bytes.resize(static_cast<std::size_t>(size));
    std::uniform_real_distribution<double> part(0, 1);
    const bool isLost = part(random) * 100 < settings.lossPercent;
    if (isLost || queuedBytes_ + bytes.size() > maxQueuedBytes) return;
    const Time now = std::chrono::steady_clock::now();
    const double bits = 8.0 * static_cast<double>(bytes.size());
    const double sendMs = settings.kbitPerSecond > 0 ? bits / settings.kbitPerSecond : 0;
    free_ = after(std::max(now, free_), sendMs);
    const double waitMs = settings.delayMs + part(random) * settings.jitterMs;
    last_ = std::max(last_, after(free_, waitMs));
    queuedBytes_ += bytes.size();
    packets_.push_back({last_, std::move(bytes)});
  }

  void deliver() {
    const Time now = std::chrono::steady_clock::now();
    while (!packets_.empty() && packets_.front().due <= now) {
      const std::vector<char>& bytes = packets_.front().bytes;
      queuedBytes_ -= bytes.size();
      // A device that is down takes nothing.
      static_cast<void>(!write(to_, bytes.data(), bytes.size()));
      packets_.pop_front();
    }
  }

  int waitMs() const {
    if (packets_.empty()) return 1000;
    const Ms left = packets_.front().due - std::chrono::steady_clock::now();
    return std::max(0, static_cast<int>(left.count()) + 1);
  }

 private:
  int from_;
  int to_;
  Time free_{};
  Time last_{};
  std::size_t queuedBytes_ = 0;
  std::deque<Packet> packets_;
};

int attach(const char* name) {
  const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
    std::perror(name);
    return -1;
  }
  return fd;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const int one = attach(arguments[1]);
  const int other = attach(arguments[2]);
  if (one < 0 || other < 0) return 1;
  std::puts("ready");
  std::fflush(stdout);
  Way there(one, other);
  Way back(other, one);
  Settings settings;
  std::mt19937 random(1);
  for (;;) {
    pollfd watched[] = {{one, POLLIN, 0}, {other, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    poll(watched, 3, std::min(there.waitMs(), back.waitMs()));
    if ((watched[0].revents & POLLIN) != 0) there.take(settings, random);
    if ((watched[1].revents & POLLIN) != 0) back.take(settings, random);
    if (watched[2].revents != 0) {
      char line[128] = {};
      if (read(STDIN_FILENO, line, sizeof line - 1) <= 0) return 0;
      Settings next;
      if (std::sscanf(line, "%lf %lf %lf %lf", &next.lossPercent, &next.delayMs, &next.jitterMs,
                      &next.kbitPerSecond) == 4) {
        settings = next;
      }
    }
    there.deliver();
    back.deliver();
  }
}
