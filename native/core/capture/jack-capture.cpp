#include "capture/jack-capture.hpp"

#include <regex.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

namespace zerocast {

namespace {

// How long audio waits until it is fetched, so that the callback need not wake anybody.
constexpr int fetchMs = 5;
// What is kept while nothing is fetched, in parts of a second.
constexpr std::uint32_t keptShare = 2;
constexpr std::size_t sampleBytes = sizeof(float);
// Samples that are converted at a time.
constexpr std::size_t batch = 4096;

float clipped(float sample) noexcept {
  // Also what is no number.
  if (!(sample >= -1.0F)) return sample < -1.0F ? -1.0F : 0.0F;
  return std::min(sample, 1.0F);
}

template <typename Integer>
std::size_t convertTo(std::span<const float> samples, double fullScale, std::byte* target) noexcept {
  for (const float sample : samples) {
    const auto value = static_cast<Integer>(std::lrint(clipped(sample) * fullScale));
    std::memcpy(target, &value, sizeof value);
    target += sizeof value;
  }
  return samples.size() * sizeof(Integer);
}

// Returns how many bytes that were.
std::size_t convert(std::span<const float> samples, std::uint32_t bits, std::byte* target) noexcept {
  if (bits == 16) return convertTo<std::int16_t>(samples, 32'767, target);
  return convertTo<std::int32_t>(samples, bits == 24 ? 8'388'607 : 2'147'483'647, target);
}

}  // namespace

JackCapture::JackCapture(const Libjack& library, Settings settings)
    : library_(library),
      settings_(std::move(settings)),
      ring_(std::size_t{settings_.format.rateHz} * settings_.format.channels * sampleBytes / keptShare),
      converted_(batch * sizeof(std::int32_t)) {
  ports_.reserve(settings_.format.channels);
}

JackCapture::~JackCapture() {
  if (client_ != nullptr) library_.close(client_);
}

std::optional<CaptureFault> JackCapture::open() {
  if (auto fault = checkPattern()) return fault;
  int status = 0;
  const std::string name = clientName();
  client_ = settings_.server.empty()
                ? library_.open(name.c_str(), Libjack::noStartServer, &status)
                : library_.open(name.c_str(), Libjack::noStartServer | Libjack::serverName, &status,
                                settings_.server.c_str());
  if (client_ == nullptr) {
    const std::string server = settings_.server.empty() ? "" : " \"" + settings_.server + "\"";
    const bool isAbsent = (status & Libjack::serverFailed) != 0;
    return CaptureFault{ENOENT, isAbsent ? "there is no JACK server" + server
                                         : "the JACK server" + server + " does not take it"};
  }
  const std::uint32_t rateHz = library_.sampleRate(client_);
  if (rateHz != settings_.format.rateHz) {
    return CaptureFault{EINVAL, "the JACK server runs at " + std::to_string(rateHz) + " Hz, not at " +
                                    std::to_string(settings_.format.rateHz)};
  }
  for (std::uint32_t channel = 0; channel < settings_.format.channels; ++channel) {
    const std::string port = "input_" + std::to_string(channel);
    ports_.push_back(library_.registerPort(client_, port.c_str(), Libjack::audio, Libjack::isInput, 0));
    if (ports_.back() == nullptr) return CaptureFault{ENOSPC, "JACK has no ports left"};
  }
  library_.setProcess(client_, [](std::uint32_t frames, void* data) {
    static_cast<JackCapture*>(data)->process(frames);
    return 0;
  }, this);
  // JACK cannot be asked for a connection from here.
  library_.setPortRegistration(client_, [](std::uint32_t, int isRegistered, void* data) {
    if (isRegistered != 0) static_cast<JackCapture*>(data)->hasNewPorts_ = true;
  }, this);
  library_.onShutdown(client_, [](void* data) {
    static_cast<JackCapture*>(data)->isShutDown_ = true;
  }, this);
  if (library_.activate(client_) != 0) return CaptureFault{EIO, "the JACK server does not begin"};
  return std::nullopt;
}

std::optional<CaptureFault> JackCapture::run(CapturePipe& pipe) {
  while (!pipe.wait(fetchMs)) {
    if (isShutDown_) return CaptureFault{0, "the JACK server has shut down"};
    if (hasNewPorts_.exchange(false)) connectPorts();
    if (!drain(pipe)) break;
  }
  return std::nullopt;
}

// JACK takes any text for an expression.
std::optional<CaptureFault> JackCapture::checkPattern() const {
  if (!settings_.pattern) return std::nullopt;
  regex_t expression;
  const int error = ::regcomp(&expression, settings_.pattern->c_str(), REG_EXTENDED | REG_NOSUB);
  if (error == 0) {
    ::regfree(&expression);
    return std::nullopt;
  }
  std::array<char, 128> text{};
  ::regerror(error, &expression, text.data(), text.size());
  return CaptureFault{EINVAL, "autoconnect is no regular expression (" + std::string(text.data()) + ")"};
}

// Without what JACK itself writes between the parts of a name, and not longer than it takes.
std::string JackCapture::clientName() const {
  std::string name = settings_.name;
  std::ranges::replace(name, ':', '_');
  std::size_t bytes = std::min(name.size(), static_cast<std::size_t>(std::max(2, library_.nameSize())) - 1);
  const auto isInside = [&](std::size_t at) {
    return at < name.size() && (static_cast<unsigned char>(name[at]) & 0xC0U) == 0x80U;
  };
  while (bytes > 0 && isInside(bytes)) --bytes;
  name.resize(bytes);
  return name.empty() ? "Zerocast" : name;
}

void JackCapture::process(std::uint32_t frames) noexcept {
  const std::size_t channels = ports_.size();
  for (std::size_t done = 0; done < frames;) {
    const std::size_t count = std::min<std::size_t>(sliceFrames, frames - done);
    for (std::size_t channel = 0; channel < channels; ++channel) {
      const auto* const samples = static_cast<const float*>(library_.buffer(ports_[channel], frames));
      for (std::size_t frame = 0; frame < count; ++frame) {
        slice_[frame * channels + channel] = samples == nullptr ? 0.0F : samples[done + frame];
      }
    }
    const auto bytes = std::as_bytes(std::span(slice_).first(count * channels));
    if (!ring_.write(bytes)) return noteOverrun();
    done += count;
  }
}

void JackCapture::connectPorts() {
  if (!settings_.pattern) return;
  const char** const names =
      library_.ports(client_, settings_.pattern->c_str(), Libjack::audio, Libjack::isOutput);
  if (names == nullptr) return;
  std::size_t skip = settings_.skippedPorts;
  std::size_t channel = 0;
  for (const char** name = names; *name != nullptr && channel < ports_.size(); ++name) {
    if (skip > 0) {
      --skip;
      continue;
    }
    const Libjack::Port* const port = ports_[channel++];
    if (library_.isConnectedTo(port, *name) == 0) library_.connect(client_, *name, library_.portName(port));
  }
  library_.free(names);
}

bool JackCapture::drain(CapturePipe& pipe) {
  for (auto bytes = ring_.front(); !bytes.empty(); bytes = ring_.front()) {
    std::array<float, batch> samples;
    const std::size_t count = std::min(bytes.size() / sampleBytes, batch);
    std::memcpy(samples.data(), bytes.data(), count * sampleBytes);
    ring_.take(count * sampleBytes);
    const std::size_t made = convert(std::span(samples).first(count), settings_.format.bits, converted_.data());
    if (!pipe.write(std::span(converted_).first(made))) return false;
  }
  return true;
}

}  // namespace zerocast
