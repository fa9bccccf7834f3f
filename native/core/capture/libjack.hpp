#pragma once

#include <cstddef>
#include <cstdint>

#include "system-library.hpp"

namespace zerocast {

// What we use of the system's libjack, also that of PipeWire: a machine without it hears by the
// program `jack-stdout`.
//
// Source: jack/jack.h; the same since libjack.so.0 began.
struct Libjack {
  struct Client;
  struct Port;
  using Process = int(std::uint32_t frames, void* data);
  using PortRegistration = void(std::uint32_t port, int isRegistered, void* data);
  using Shutdown = void(void* data);

  static constexpr int noStartServer = 1;
  static constexpr int serverName = 4;
  static constexpr int serverFailed = 0x10;
  static constexpr unsigned long isInput = 1;
  static constexpr unsigned long isOutput = 2;
  static constexpr const char* audio = "32 bit float mono audio";

  Client* (*open)(const char* name, int options, int* status, ...);
  int (*close)(Client*);
  int (*nameSize)();
  std::uint32_t (*sampleRate)(Client*);
  int (*setProcess)(Client*, Process*, void* data);
  int (*setPortRegistration)(Client*, PortRegistration*, void* data);
  void (*onShutdown)(Client*, Shutdown*, void* data);
  int (*activate)(Client*);
  Port* (*registerPort)(Client*, const char* name, const char* type, unsigned long flags,
                        unsigned long bufferSize);
  void* (*buffer)(Port*, std::uint32_t frames);
  const char* (*portName)(const Port*);
  // A list that ends with null, which `free` takes; null when there is none.
  const char** (*ports)(Client*, const char* namePattern, const char* typePattern,
                        unsigned long flags);
  int (*isConnectedTo)(const Port*, const char* name);
  int (*connect)(Client*, const char* from, const char* to);
  void (*free)(void*);
};

// Takes it out of `file`. It writes nothing to the outputs of this process any more.
[[nodiscard]] LibrarySearch<Libjack> findLibjack(const char* file = "libjack.so.0");

}  // namespace zerocast
