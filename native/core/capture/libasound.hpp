#pragma once

#include <cstddef>

#include "system-library.hpp"

namespace zerocast {

// What we use of the system's libasound: a machine without it hears by the program `arecord`.
//
// Source: alsa/pcm.h; the same since libasound.so.2 began. Frames are `unsigned long` there.
struct Libasound {
  struct Pcm;
  struct HardwareParameters;
  using Set = int(Pcm*, HardwareParameters*, unsigned);
  using SetNear = int(Pcm*, HardwareParameters*, unsigned* value, int* direction);
  using ErrorHandler = void(const char* file, int line, const char* function, int error,
                            const char* format, ...);

  static constexpr int captureStream = 1;
  static constexpr int nonBlocking = 1;
  static constexpr unsigned interleaved = 3;

  int (*open)(Pcm**, const char* name, int stream, int mode);
  int (*close)(Pcm*);
  int (*mallocParameters)(HardwareParameters**);
  void (*freeParameters)(HardwareParameters*);
  int (*anyParameters)(Pcm*, HardwareParameters*);
  Set* setAccess;
  int (*setFormat)(Pcm*, HardwareParameters*, int format);
  Set* setChannels;
  SetNear* setRateNear;
  SetNear* setBufferTimeNear;
  SetNear* setPeriodTimeNear;
  int (*setParameters)(Pcm*, HardwareParameters*);
  int (*start)(Pcm*);
  long (*readInterleaved)(Pcm*, void* target, unsigned long frames);
  // 1 when there is audio, 0 when the time is over, or a negative errno.
  int (*wait)(Pcm*, int timeoutMs);
  int (*recover)(Pcm*, int error, int silent);
  const char* (*errorText)(int error);
  int (*forgetConfiguration)();
  const char* (*version)();
};

// Takes it out of `file`. What it would write to the standard error is kept for `lastLibasoundLine`.
[[nodiscard]] LibrarySearch<Libasound> findLibasound(const char* file = "libasound.so.2");

// What it had to say last in this thread, empty when nothing; then it is forgotten.
[[nodiscard]] std::string takeLibasoundLine();

}  // namespace zerocast
