#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "capture/capture-pipe.hpp"
#include "capture/capture.hpp"
#include "descriptor.hpp"

namespace zerocast {

// A capture in a thread of its own, which ends with the pipe or the device; the pipe has its end when
// the device is free again.
//
// Ownership: shared by its thread and its `Holder`s; `std::shared_ptr` would ask for a newer glibc.
// Threads: any.
class CaptureRun {
 public:
  class Holder {
   public:
    Holder() noexcept = default;
    Holder(const Holder& other) noexcept : run_(other.run_) {
      if (run_ != nullptr) run_->holders_.fetch_add(1, std::memory_order_relaxed);
    }
    Holder(Holder&& other) noexcept : run_(std::exchange(other.run_, nullptr)) {}
    Holder& operator=(Holder other) noexcept {
      std::swap(run_, other.run_);
      return *this;
    }
    ~Holder() {
      if (run_ == nullptr) return;
      if (run_->holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete run_;
    }

    explicit operator bool() const noexcept { return run_ != nullptr; }
    CaptureRun* operator->() const noexcept { return run_; }

   private:
    friend CaptureRun;
    explicit Holder(CaptureRun* run) noexcept : run_(run) {}

    CaptureRun* run_ = nullptr;
  };

  // Failure: holds nothing when the system has no descriptors or threads to spare.
  [[nodiscard]] static Holder start(std::unique_ptr<Capture> capture);

  CaptureRun(const CaptureRun&) = delete;
  CaptureRun& operator=(const CaptureRun&) = delete;

  // The reading end of the pipe, once; the caller closes it.
  [[nodiscard]] Descriptor takeReadEnd() noexcept { return pipe_.takeReadEnd(); }

  // Why it has ended; nothing while it runs, and when it was stopped.
  [[nodiscard]] std::optional<CaptureFault> fault() const;

  [[nodiscard]] std::uint32_t overruns() const;

  void stop();

  // Waits until the device is free. Failure: false when that took longer: it hangs.
  [[nodiscard]] bool waitForEnd(std::chrono::milliseconds patience) const;

 private:
  explicit CaptureRun(std::unique_ptr<Capture> capture) : capture_(std::move(capture)) {}
  ~CaptureRun() = default;

  void run();

  CapturePipe pipe_;
  std::atomic<int> holders_ = 1;
  mutable std::mutex mutex_;
  mutable std::condition_variable over_;
  // The rest is guarded by the mutex.
  bool isOver_ = false;
  std::unique_ptr<Capture> capture_;
  std::optional<CaptureFault> fault_;
  std::uint32_t overruns_ = 0;
};

}  // namespace zerocast
