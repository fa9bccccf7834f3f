#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "system-library.hpp"

namespace zerocast {

// What we use of the system's libFLAC: a machine without it loses speed only.
//
// Its structs are never looked into, as each version lays them out in its own way.
// Source: FLAC/stream_encoder.h; the same from libFLAC 1.3 (libFLAC.so.8) on.
struct Libflac {
  struct Encoder;
  using Bool = int;
  // `samples` is 0 for what belongs to the header. Anything but 0 stops the encoder.
  using Write = int(const Encoder*, const std::uint8_t* bytes, std::size_t byteCount,
                    std::uint32_t samples, std::uint32_t frame, void* client);
  using Set = Bool(Encoder*, std::uint32_t);

  Encoder* (*create)();
  void (*destroy)(Encoder*);
  Set* setChannels;
  Set* setBitsPerSample;
  Set* setSampleRate;
  Set* setCompressionLevel;
  Set* setBlocksize;
  // Absent in a library without it: it then hashes all samples for a header that is sent before.
  Bool (*setDoMd5)(Encoder*, Bool);
  // Returns a status, 0 when all is well. Seek, tell and metadata are callbacks that may be absent.
  int (*initStream)(Encoder*, Write*, void* seek, void* tell, void* metadata, void* client);
  Bool (*processInterleaved)(Encoder*, const std::int32_t* samples, std::uint32_t frames);
  Bool (*finish)(Encoder*);
  const char* (*stateText)(const Encoder*);

  const char* version;
  const char* file;
};

// The names of the versions that are known to fit, the newest first.
[[nodiscard]] std::span<const char* const> libflacFiles() noexcept;

using LibflacSearch = LibrarySearch<Libflac>;

// Takes the first of `files` that can be used. A file is searched for by its name alone, where the
// system has its libraries, and stays loaded until the process ends.
[[nodiscard]] LibflacSearch findLibflac(std::span<const char* const> files = libflacFiles());

}  // namespace zerocast
