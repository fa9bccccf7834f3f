#include "capture/alsa-capture.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace zerocast {

namespace {

constexpr int waitMs = 100;
// A device that is silent for so long is hung.
constexpr int maxWaits = 100;
// A device that says that there is audio, and has none, is asked again after a while.
constexpr int emptyWaitMs = 5;
// Errors without audio in between after which the device is opened anew.
constexpr int maxFailures = 10;

// Numbers of `snd_pcm_format_t`, little-endian: 24 bit in the lower three of four bytes.
int formatOf(const AlsaCapture::Settings& settings) {
  if (settings.isPacked24) return 32;
  if (settings.format.bits == 8) return 0;
  if (settings.format.bits == 16) return 2;
  return settings.format.bits == 24 ? 6 : 10;
}

std::size_t frameBytesOf(const AlsaCapture::Settings& settings) {
  const std::uint32_t bits = settings.format.bits == 24 && !settings.isPacked24 ? 32 : settings.format.bits;
  return settings.format.channels * std::size_t{bits / 8};
}

}  // namespace

AlsaCapture::AlsaCapture(const Libasound& library, Settings settings)
    : library_(library), settings_(std::move(settings)) {}

AlsaCapture::~AlsaCapture() {
  if (pcm_ != nullptr) library_.close(pcm_);
}

std::optional<CaptureFault> AlsaCapture::open() {
  static_cast<void>(takeLibasoundLine());
  const int refusal = library_.open(&pcm_, settings_.device.c_str(), Libasound::captureStream,
                                    Libasound::nonBlocking);
  if (refusal < 0) {
    pcm_ = nullptr;
    const CaptureFault fault = faultOf(refusal, "it cannot be opened");
    // Files that are mended are read again then.
    library_.forgetConfiguration();
    return fault;
  }
  Libasound::HardwareParameters* parameters = nullptr;
  const int shortage = library_.mallocParameters(&parameters);
  if (shortage < 0) return faultOf(shortage, "it cannot be set up");
  std::optional<CaptureFault> fault = configure(parameters);
  library_.freeParameters(parameters);
  return fault;
}

std::optional<CaptureFault> AlsaCapture::configure(Libasound::HardwareParameters* parameters) {
  CaptureFormat& format = settings_.format;
  int error = library_.anyParameters(pcm_, parameters);
  if (error < 0) return faultOf(error, "it cannot be set up");
  error = library_.setAccess(pcm_, parameters, Libasound::interleaved);
  if (error < 0) return faultOf(error, "it does not mix its channels into one row");
  error = library_.setFormat(pcm_, parameters, formatOf(settings_));
  if (error < 0) return faultOf(error, "it has no " + std::to_string(format.bits) + " bit");
  error = library_.setChannels(pcm_, parameters, format.channels);
  if (error < 0) return faultOf(error, "it has not " + std::to_string(format.channels) + " channels");
  const std::uint32_t askedHz = format.rateHz;
  error = library_.setRateNear(pcm_, parameters, &format.rateHz, nullptr);
  const bool isOtherRate = format.rateHz != askedHz && !settings_.takesNearRate;
  if (error < 0 || isOtherRate) {
    return faultOf(error < 0 ? error : -EINVAL, "it has no " + std::to_string(askedHz) + " Hz");
  }
  // What it has instead will do as well.
  library_.setBufferTimeNear(pcm_, parameters, &settings_.bufferUs, nullptr);
  library_.setPeriodTimeNear(pcm_, parameters, &settings_.periodUs, nullptr);
  error = library_.setParameters(pcm_, parameters);
  if (error < 0) return faultOf(error, "it cannot be set up");
  const std::uint64_t frames = std::uint64_t{format.rateHz} * settings_.periodUs / 1'000'000;
  period_.resize(std::max<std::size_t>(frames, 1) * frameBytesOf(settings_));
  return std::nullopt;
}

std::optional<CaptureFault> AlsaCapture::run(CapturePipe& pipe) {
  const std::size_t frameBytes = frameBytesOf(settings_);
  // Some begin by themselves when they are read, and refuse this.
  library_.start(pcm_);
  int waits = 0;
  while (!pipe.isStopped()) {
    const long frames = library_.readInterleaved(pcm_, period_.data(), period_.size() / frameBytes);
    if (frames > 0) {
      failures_ = 0;
      waits = 0;
      const std::size_t bytes = static_cast<std::size_t>(frames) * frameBytes;
      if (!pipe.write(std::span(period_).first(bytes))) break;
      continue;
    }
    int error = static_cast<int>(frames);
    if (error == 0 || error == -EAGAIN) {
      if (++waits > maxWaits) return faultOf(-EIO, "it gives no audio");
      error = library_.wait(pcm_, waitMs);
      if (error > 0 && waits > 1) pipe.wait(emptyWaitMs);
    }
    if (error >= 0) continue;
    if (auto fault = recover(error)) return fault;
  }
  return std::nullopt;
}

std::optional<CaptureFault> AlsaCapture::recover(int error) {
  if (error == -EPIPE) noteOverrun();
  if (++failures_ > maxFailures) return faultOf(error, "it fails again and again");
  const int left = library_.recover(pcm_, error, 1);
  if (left < 0) return faultOf(left, "it cannot be read any more");
  library_.start(pcm_);
  return std::nullopt;
}

CaptureFault AlsaCapture::faultOf(int error, const std::string& what) const {
  const std::string line = takeLibasoundLine();
  const std::string detail = line.empty() ? "" : " (" + line + ")";
  return {-error, what + ": " + library_.errorText(error) + detail};
}

}  // namespace zerocast
