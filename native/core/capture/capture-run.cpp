#include "capture/capture-run.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

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

CaptureRun::CaptureRun(std::unique_ptr<Capture> capture)
    : over_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), capture_(std::move(capture)) {}

CaptureRun::Holder CaptureRun::start(std::unique_ptr<Capture> capture) {
  Holder run(new CaptureRun(std::move(capture)));
  if (!run->pipe_.isOpen() || !run->over_.isOpen()) return {};
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

bool CaptureRun::waitForEnd(std::chrono::milliseconds patience) const noexcept {
  pollfd event{over_.fd(), POLLIN, 0};
  return ::poll(&event, 1, static_cast<int>(patience.count())) > 0;
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
  const std::uint64_t one = 1;
  static_cast<void>(!::write(over_.fd(), &one, sizeof one));
  // Last: by then whoever reads to the end finds the rest.
  pipe_.closeWriteEnd();
}

}  // namespace zerocast
