#pragma once

#include <cstddef>
#include <span>

#include "descriptor.hpp"

namespace zerocast {

// Where a thread that hears something puts the audio: a pipe, whose reading end a stream reads as it
// reads what a program writes, and by which a reader that is slow holds the thread back.
//
// Threads: `stop` and `isStopped` any, all else the one that hears. A process that uses it ignores
// SIGPIPE.
class CapturePipe {
 public:
  // Failure: `isOpen` is false when the system has no descriptors to spare.
  CapturePipe();

  [[nodiscard]] bool isOpen() const noexcept { return writeEnd_.isOpen() && stopped_.isOpen(); }

  // The reading end, once; the caller closes it.
  [[nodiscard]] Descriptor takeReadEnd() noexcept { return std::move(readEnd_); }

  // Waits until all of it is in the pipe. Failure: false when it was stopped or has no reader any
  // more.
  [[nodiscard]] bool write(std::span<const std::byte> pcm) noexcept;

  // Waits for so long, or until it is stopped; says whether it is.
  bool wait(int timeoutMs) const noexcept;

  [[nodiscard]] bool isStopped() const noexcept { return wait(0); }

  // Ends what waits here, now and later.
  void stop() noexcept;

  // The reader finds the end of the audio; nothing else is called any more.
  void close() noexcept {
    writeEnd_ = Descriptor();
    stopped_ = Descriptor();
  }

 private:
  Descriptor readEnd_;
  Descriptor writeEnd_;
  // Readable from the moment at which it is to stop.
  Descriptor stopped_;
};

}  // namespace zerocast
