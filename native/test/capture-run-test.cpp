#include "capture/capture-run.hpp"

#ifdef __linux__

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "tap.hpp"

using zerocast::Capture;
using zerocast::CaptureFault;
using zerocast::CapturePipe;
using zerocast::CaptureRun;
using zerocast::Descriptor;
using zerocast::test::Run;

namespace {

constexpr std::chrono::seconds patience{20};

// Hears a row of numbers, as fast as it is let.
class CountingCapture : public Capture {
 public:
  struct Plan {
    // Then it is gone; 0: never.
    std::size_t periods = 0;
    std::optional<CaptureFault> refusal;
    std::atomic<bool>* isFree = nullptr;
  };

  explicit CountingCapture(Plan plan) : plan_(std::move(plan)) {}
  ~CountingCapture() override {
    if (plan_.isFree != nullptr) plan_.isFree->store(true);
  }

  std::optional<CaptureFault> open() override { return plan_.refusal; }
  std::uint32_t rateHz() const override { return 48'000; }

  std::optional<CaptureFault> run(CapturePipe& pipe) override {
    std::array<std::byte, 1000> period;
    for (std::size_t at = 0; plan_.periods == 0 || at < plan_.periods; ++at) {
      period.fill(static_cast<std::byte>(at));
      if (!pipe.write(period)) return std::nullopt;
    }
    noteOverrun();
    return CaptureFault{ENODEV, "gone"};
  }

 private:
  Plan plan_;
};

CaptureRun::Holder runOf(CountingCapture::Plan plan) {
  return CaptureRun::start(std::make_unique<CountingCapture>(std::move(plan)));
}

// Reads to the end.
std::vector<std::byte> readAll(const Descriptor& end) {
  std::vector<std::byte> all;
  std::array<std::byte, 4096> piece;
  while (true) {
    pollfd event{end.fd(), POLLIN, 0};
    ::poll(&event, 1, -1);
    const ssize_t bytes = ::read(end.fd(), piece.data(), piece.size());
    if (bytes == 0 || (bytes < 0 && errno != EAGAIN)) return all;
    if (bytes > 0) all.insert(all.end(), piece.begin(), piece.begin() + bytes);
  }
}

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  Run run;

  run.it("brings all that is heard until the device is gone, and says why it has ended", [](Run& t) {
    std::atomic<bool> isFree = false;
    const auto capture = runOf({.periods = 500, .refusal = {}, .isFree = &isFree});
    const Descriptor end = capture->takeReadEnd();
    const auto all = readAll(end);
    t.expect(all.size() == 500'000, "nothing is lost while the pipe is full");
    bool isSame = true;
    for (std::size_t at = 0; at < all.size(); ++at) {
      isSame = isSame && all[at] == static_cast<std::byte>(at / 1000);
    }
    t.expect(isSame, "it comes in its order");
    t.expect(isFree.load(), "the device is free before the end of the audio is seen");
    t.expect(capture->waitForEnd(patience), "it is over");
    const auto fault = capture->fault();
    t.expect(fault && fault->error == ENODEV && fault->reason == "gone", "the reason is told");
    t.expect(capture->overruns() == 1, "so is what was lost");
  });

  run.it("says why a device cannot be opened", [](Run& t) {
    const auto capture = runOf({.periods = 0, .refusal = CaptureFault{EBUSY, "in use"}, .isFree = nullptr});
    const Descriptor end = capture->takeReadEnd();
    t.expect(readAll(end).empty(), "there is nothing to hear");
    t.expect(capture->waitForEnd(patience), "it is over");
    t.expect(capture->fault() && capture->fault()->error == EBUSY, "the reason is told");
  });

  run.it("lets go of the device when it is stopped while nothing is read", [](Run& t) {
    std::atomic<bool> isFree = false;
    const auto capture = runOf({.periods = 0, .refusal = {}, .isFree = &isFree});
    const Descriptor end = capture->takeReadEnd();
    t.expect(!capture->waitForEnd(std::chrono::milliseconds(20)), "it waits for its reader");
    capture->stop();
    t.expect(capture->waitForEnd(patience) && isFree.load(), "it is free");
    t.expect(!capture->fault(), "that is no fault");
  });

  run.it("ends when its reader is gone", [](Run& t) {
    const auto capture = runOf({});
    { const Descriptor end = capture->takeReadEnd(); }
    t.expect(capture->waitForEnd(patience), "it is over");
    t.expect(!capture->fault(), "that is no fault");
  });

  run.it("outlives its owner, and tells nobody", [](Run& t) {
    std::atomic<bool> isFree = false;
    {
      const auto capture = runOf({.periods = 0, .refusal = {}, .isFree = &isFree});
      capture->stop();
    }
    for (int at = 0; at < 2000 && !isFree.load(); ++at) ::usleep(10'000);
    t.expect(isFree.load(), "it is free");
  });

  run.it("waits on its pipe no longer than it is told, and not when it is stopped", [](Run& t) {
    CapturePipe pipe;
    t.expect(pipe.isOpen() && !pipe.wait(1) && !pipe.isStopped(), "the time is over");
    pipe.stop();
    pipe.stop();
    t.expect(pipe.wait(60'000) && pipe.isStopped(), "it is stopped");
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
