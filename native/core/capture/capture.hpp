#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "capture/capture-pipe.hpp"

namespace zerocast {

// Of what is heard; 24 bit lie in four bytes.
struct CaptureFormat {
  std::uint32_t rateHz;
  std::uint32_t channels;
  std::uint32_t bits;
};

// Why a device is not heard, or not any more.
struct CaptureFault {
  // An errno; 0 where there is none.
  int error;
  std::string reason;
};

// One device of this machine that is heard; its own clock sets the pace.
//
// Threads: one, which may wait as long as it likes; `overruns` is for others, too.
class Capture {
 public:
  Capture() = default;
  virtual ~Capture() = default;
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  // Called once, first.
  [[nodiscard]] virtual std::optional<CaptureFault> open() = 0;

  // What it really has: known when it is open.
  [[nodiscard]] virtual std::uint32_t rateHz() const = 0;

  // Moves whole frames to the pipe until that is stopped, or loses its reader, for which there is no
  // fault.
  [[nodiscard]] virtual std::optional<CaptureFault> run(CapturePipe& pipe) = 0;

  // How often audio was lost, because it was not read in time.
  [[nodiscard]] std::uint32_t overruns() const noexcept {
    return overruns_.load(std::memory_order_relaxed);
  }

 protected:
  void noteOverrun() noexcept { overruns_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> overruns_ = 0;
};

}  // namespace zerocast
