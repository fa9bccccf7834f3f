#include "capture/capture-run.hpp"

#include <pthread.h>

#include <csignal>

// As in system-library.cpp: old versions of them are everywhere.
#if defined(__GLIBC__) && defined(__x86_64__)
__asm__(".symver pthread_create, pthread_create@GLIBC_2.2.5");
__asm__(".symver pthread_detach, pthread_detach@GLIBC_2.2.5");
__asm__(".symver pthread_sigmask, pthread_sigmask@GLIBC_2.2.5");
#elif defined(__GLIBC__) && defined(__aarch64__)
__asm__(".symver pthread_create, pthread_create@GLIBC_2.17");
__asm__(".symver pthread_detach, pthread_detach@GLIBC_2.17");
__asm__(".symver pthread_sigmask, pthread_sigmask@GLIBC_2.17");
#endif

namespace zerocast {

namespace {

// Not `std::thread`, which ends the process when the system has no thread to spare. Signals are for
// the threads that were there before.
bool startThread(void* (*body)(void*), void* data) noexcept {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  ::pthread_t thread;
  const bool isStarted = ::pthread_create(&thread, nullptr, body, data) == 0;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (isStarted) ::pthread_detach(thread);
  return isStarted;
}

}  // namespace

CaptureRun::Holder CaptureRun::start(std::unique_ptr<Capture> capture) {
  Holder run(new CaptureRun(std::move(capture)));
  if (!run->pipe_.isOpen()) return {};
  auto own = std::make_unique<Holder>(run);
  const auto body = [](void* data) -> void* {
    const std::unique_ptr<Holder> own(static_cast<Holder*>(data));
    (*own)->run();
    return nullptr;
  };
  if (!startThread(body, own.get())) return {};
  static_cast<void>(own.release());
  return run;
}

std::optional<CaptureFault> CaptureRun::fault() const {
  const std::lock_guard lock(mutex_);
  return fault_;
}

std::uint32_t CaptureRun::overruns() const {
  const std::lock_guard lock(mutex_);
  return capture_ ? capture_->overruns() : overruns_;
}

void CaptureRun::stop() {
  const std::lock_guard lock(mutex_);
  if (!isOver_) pipe_.stop();
}

bool CaptureRun::waitForEnd(std::chrono::milliseconds patience) const {
  std::unique_lock lock(mutex_);
  // Any other clock would ask for a newer glibc.
  const auto deadline = std::chrono::system_clock::now() + patience;
  return over_.wait_until(lock, deadline, [this] { return isOver_; });
}

void CaptureRun::run() {
  std::optional<CaptureFault> fault = capture_->open();
  if (!fault) fault = capture_->run(pipe_);
  std::unique_ptr<Capture> capture;
  {
    const std::lock_guard lock(mutex_);
    overruns_ = capture_->overruns();
    fault_ = std::move(fault);
    capture = std::move(capture_);
  }
  // To close a device may take a while.
  capture.reset();
  const std::lock_guard lock(mutex_);
  isOver_ = true;
  over_.notify_all();
  // Last: by then whoever reads to the end finds the rest.
  pipe_.close();
}

}  // namespace zerocast
