#pragma once

#include <cstddef>
#include <vector>

#include "capture/capture.hpp"
#include "capture/libasound.hpp"

namespace zerocast {

// What an ALSA device hears.
class AlsaCapture : public Capture {
 public:
  struct Settings {
    // As `arecord -D` takes it.
    std::string device;
    CaptureFormat format;
    // 24 bit lie in three bytes instead of four.
    bool isPacked24;
    // How much it hears before it says so, and how much of it is kept for us.
    std::uint32_t periodUs;
    std::uint32_t bufferUs;
    // Whether the nearest rate that it has will do.
    bool takesNearRate;
  };

  AlsaCapture(const Libasound& library, Settings settings);
  ~AlsaCapture() override;

  [[nodiscard]] std::optional<CaptureFault> open() override;
  [[nodiscard]] std::uint32_t rateHz() const override { return settings_.format.rateHz; }
  [[nodiscard]] std::optional<CaptureFault> run(CapturePipe& pipe) override;

 private:
  [[nodiscard]] std::optional<CaptureFault> configure(Libasound::HardwareParameters* parameters);
  // Goes on after an error, where one can.
  [[nodiscard]] std::optional<CaptureFault> recover(int error);
  [[nodiscard]] CaptureFault faultOf(int error, const std::string& what) const;

  Libasound library_;
  Settings settings_;
  Libasound::Pcm* pcm_ = nullptr;
  std::vector<std::byte> period_;
  // Errors in turn without any audio.
  int failures_ = 0;
};

}  // namespace zerocast
