#include "capture/alsa-capture.hpp"

#ifdef __linux__

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "tap.hpp"

using zerocast::AlsaCapture;
using zerocast::CaptureFault;
using zerocast::CapturePipe;
using zerocast::Descriptor;
using zerocast::findLibasound;
using zerocast::Libasound;
using zerocast::test::Run;

namespace {

// A device that does what the test says: what its reads return, in turn, and then the pipe is
// stopped.
struct Device {
  int openError = 0;
  int channelsError = 0;
  unsigned rateHz = 0;
  unsigned periodUs = 0;
  std::deque<long> reads = {};
  int waitResult = 1;
  int recoverError = 0;
  CapturePipe* pipe = nullptr;
  std::string name = {};
  int format = -1;
  unsigned long askedFrames = 0;
  int recovered = 0;
  int opened = 0;
  int parameters = 0;
  int forgotten = 0;
};

Device device;

int setAnything(Libasound::Pcm*, Libasound::HardwareParameters*, unsigned) { return 0; }
int setTime(Libasound::Pcm*, Libasound::HardwareParameters*, unsigned*, int*) { return 0; }

Libasound scriptedLibrary() {
  Libasound library{};
  library.open = [](Libasound::Pcm** pcm, const char* name, int stream, int mode) {
    device.name = name;
    if (stream != 1 || mode != 1) return -EINVAL;
    if (device.openError != 0) return device.openError;
    ++device.opened;
    *pcm = reinterpret_cast<Libasound::Pcm*>(&device);
    return 0;
  };
  library.close = [](Libasound::Pcm*) { return --device.opened; };
  library.mallocParameters = [](Libasound::HardwareParameters** parameters) {
    *parameters = reinterpret_cast<Libasound::HardwareParameters*>(&device);
    return ++device.parameters, 0;
  };
  library.freeParameters = [](Libasound::HardwareParameters*) { --device.parameters; };
  library.anyParameters = [](Libasound::Pcm*, Libasound::HardwareParameters*) { return 1; };
  library.setAccess = setAnything;
  library.setFormat = [](Libasound::Pcm*, Libasound::HardwareParameters*, int format) {
    device.format = format;
    return 0;
  };
  library.setChannels = [](Libasound::Pcm*, Libasound::HardwareParameters*, unsigned) {
    return device.channelsError;
  };
  library.setRateNear = [](Libasound::Pcm*, Libasound::HardwareParameters*, unsigned* rate, int*) {
    if (device.rateHz != 0) *rate = device.rateHz;
    return 0;
  };
  library.setBufferTimeNear = setTime;
  library.setPeriodTimeNear = [](Libasound::Pcm*, Libasound::HardwareParameters*, unsigned* us,
                                 int*) {
    if (device.periodUs != 0) *us = device.periodUs;
    return 0;
  };
  library.setParameters = [](Libasound::Pcm*, Libasound::HardwareParameters*) { return 0; };
  library.start = [](Libasound::Pcm*) { return 0; };
  library.readInterleaved = [](Libasound::Pcm*, void* target, unsigned long frames) -> long {
    device.askedFrames = frames;
    if (device.reads.empty()) {
      device.pipe->stop();
      return -EAGAIN;
    }
    const long result = device.reads.front();
    device.reads.pop_front();
    if (result > 0) std::memset(target, static_cast<int>(result), static_cast<std::size_t>(result) * 4);
    return result;
  };
  library.wait = [](Libasound::Pcm*, int) { return device.waitResult; };
  library.recover = [](Libasound::Pcm*, int, int) {
    ++device.recovered;
    return device.recoverError;
  };
  library.errorText = [](int error) -> const char* { return std::strerror(-error); };
  library.forgetConfiguration = [] { return ++device.forgotten, 0; };
  return library;
}

AlsaCapture::Settings settingsOf(std::uint32_t bits = 16) {
  return {.device = "hw:0",
          .format = {.rateHz = 48'000, .channels = 2, .bits = bits},
          .isPacked24 = false,
          .periodUs = 20'000,
          .bufferUs = 500'000,
          .takesNearRate = false};
}

struct Heard {
  std::optional<CaptureFault> fault;
  std::vector<std::byte> audio;
  std::uint32_t overruns;
};

// Opens the device, hears it to the end of its reads, and closes it.
Heard hear(const AlsaCapture::Settings& settings = settingsOf()) {
  CapturePipe pipe;
  const Descriptor end = pipe.takeReadEnd();
  device.pipe = &pipe;
  AlsaCapture capture(scriptedLibrary(), settings);
  Heard heard{capture.open(), {}, 0};
  if (!heard.fault) heard.fault = capture.run(pipe);
  heard.overruns = capture.overruns();
  heard.audio.resize(100'000);
  const ssize_t bytes = ::read(end.fd(), heard.audio.data(), heard.audio.size());
  heard.audio.resize(bytes < 0 ? 0 : static_cast<std::size_t>(bytes));
  return heard;
}

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  Run run;

  run.it("hears in periods, and closes what it has opened", [](Run& t) {
    device = {.reads = {960, 100, 960}};
    const Heard heard = hear();
    t.expect(!heard.fault && heard.audio.size() == (960 + 100 + 960) * 4, "all frames came");
    t.expect(heard.audio[960 * 4] == std::byte{100}, "in their order");
    t.expect(device.askedFrames == 960 && device.name == "hw:0", "as it was asked");
    t.expect(device.opened == 0 && device.parameters == 0, "nothing is left");
  });

  run.it("takes the period that the device has", [](Run& t) {
    device = {.periodUs = 5000};
    static_cast<void>(hear());
    t.expect(device.askedFrames == 240, "a period is read at a time");
  });

  run.it("knows every width of samples", [](Run& t) {
    for (const auto& [bits, format] : {std::pair{8U, 0}, {16U, 2}, {24U, 6}, {32U, 10}}) {
      device = {};
      static_cast<void>(hear(settingsOf(bits)));
      t.expect(device.format == format, "it is the right number");
    }
    AlsaCapture::Settings packed = settingsOf(24);
    packed.isPacked24 = true;
    device = {};
    static_cast<void>(hear(packed));
    t.expect(device.format == 32, "also where 24 bit lie in three bytes");
  });

  run.it("goes on after an overrun and after sleep, and counts what was lost", [](Run& t) {
    device = {.reads = {960, -EPIPE, 960, -ESTRPIPE, 960, -EPIPE, 960}};
    const Heard heard = hear();
    t.expect(!heard.fault && heard.audio.size() == 4 * 960 * 4, "it goes on");
    t.expect(device.recovered == 3 && heard.overruns == 2, "sleep is no overrun");
  });

  run.it("waits where there is nothing yet, also for what says that there is", [](Run& t) {
    device = {.reads = {-EAGAIN, -EAGAIN, 0, -EAGAIN, 960}};
    t.expect(hear().audio.size() == 960 * 4, "what comes then is heard");
    device = {.reads = {-EAGAIN, 960}, .waitResult = -EPIPE};
    const Heard heard = hear();
    t.expect(heard.overruns >= 1 && heard.audio.size() == 960 * 4, "waiting tells of overruns, too");
  });

  run.it("gives up a device that is gone, hung, or fails again and again", [](Run& t) {
    device = {.reads = {960, -ENODEV}, .recoverError = -ENODEV};
    const Heard gone = hear();
    t.expect(gone.fault && gone.fault->error == ENODEV, "the error is told");
    t.expect(gone.audio.size() == 960 * 4, "what came before is heard");
    device = {.reads = std::deque<long>(200, -EAGAIN), .waitResult = 0};
    t.expect(hear().fault->error == EIO, "hung");
    device = {.reads = std::deque<long>(200, -EPIPE)};
    t.expect(hear().fault->reason.starts_with("it fails again and again"), "failing");
    t.expect(device.opened == 0, "all are closed");
  });

  run.it("says what a device refuses", [](Run& t) {
    device = {.openError = -EBUSY};
    const auto busy = hear().fault;
    t.expect(busy && busy->error == EBUSY && busy->reason.ends_with(std::strerror(EBUSY)), "busy");
    t.expect(device.forgotten == 1, "its configuration is read anew next time");
    device = {.channelsError = -EINVAL};
    t.expect(hear().fault->reason.starts_with("it has not 2 channels"), "channels");
    t.expect(device.opened == 0 && device.parameters == 0, "nothing is left");
  });

  run.it("takes another rate only where it may", [](Run& t) {
    device = {.rateHz = 44'100};
    t.expect(hear().fault->reason.starts_with("it has no 48000 Hz"), "it is refused");
    AlsaCapture::Settings settings = settingsOf();
    settings.takesNearRate = true;
    AlsaCapture capture(scriptedLibrary(), settings);
    t.expect(!capture.open() && capture.rateHz() == 44'100, "it is told");
  });

  run.it("finds the library of this machine, which keeps its complaints to itself", [](Run& t) {
    const auto search = findLibasound();
    t.expect(search.library.has_value(), "libasound is installed (apt-get install libasound2)");
    if (!search.library) return;
    AlsaCapture::Settings settings = settingsOf();
    settings.device = "no_such_device";
    AlsaCapture capture(*search.library, settings);
    const auto fault = capture.open();
    t.expect(fault && fault->error == ENOENT, "there is no such device");
    t.expect(fault && fault->reason.find("Unknown PCM no_such_device") != std::string::npos,
             "what it would have written is told");
    settings.device = "null";
    AlsaCapture silence(*search.library, settings);
    t.expect(!silence.open(), "the silent one can be opened");
  });

  run.it("says in words that there is no library, or another", [](Run& t) {
    t.expect(findLibasound("libasound.so.97").reason == "it is not installed", "none");
    const std::string reason = findLibasound("libm.so.6").reason;
    t.expect(reason == "libm.so.6 has no snd_pcm_open" || reason == "it is not installed", "other");
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
