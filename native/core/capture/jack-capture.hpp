#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "capture/capture.hpp"
#include "capture/libjack.hpp"
#include "capture/sample-ring.hpp"

namespace zerocast {

// What the input ports of a client of JACK are given; ports to which nothing is connected are silent.
//
// Threads: those of JACK call back; what they touch is atomic, or set before they begin.
class JackCapture : public Capture {
 public:
  static constexpr std::size_t maxChannels = 8;

  struct Settings {
    // Of the client; another one of that name makes JACK add a number.
    std::string name;
    // Empty: the usual one.
    std::string server;
    CaptureFormat format;
    // What is connected by itself: output ports whose names match, an extended regular expression,
    // in their order; absent: nothing.
    std::optional<std::string> pattern;
    std::uint32_t skippedPorts;
  };

  JackCapture(const Libjack& library, Settings settings);
  ~JackCapture() override;

  // A fault of EINVAL will be the same next time.
  [[nodiscard]] std::optional<CaptureFault> open() override;
  [[nodiscard]] std::uint32_t rateHz() const override { return settings_.format.rateHz; }
  [[nodiscard]] std::optional<CaptureFault> run(CapturePipe& pipe) override;

 private:
  // Frames that are put into their order at a time.
  static constexpr std::size_t sliceFrames = 64;

  [[nodiscard]] std::optional<CaptureFault> checkPattern() const;
  [[nodiscard]] std::string clientName() const;
  // In real time: only copies.
  void process(std::uint32_t frames) noexcept;
  void connectPorts();
  // False when the pipe takes no more.
  [[nodiscard]] bool drain(CapturePipe& pipe);

  Libjack library_;
  Settings settings_;
  Libjack::Client* client_ = nullptr;
  std::vector<Libjack::Port*> ports_;
  std::array<float, sliceFrames * maxChannels> slice_{};
  SampleRing ring_;
  std::vector<std::byte> converted_;
  std::atomic<bool> hasNewPorts_ = true;
  std::atomic<bool> isShutDown_ = false;
};

}  // namespace zerocast
