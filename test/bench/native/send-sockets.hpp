#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <string>
#include <vector>

// What became of the sends since the last `takeCounts`.
struct SendCounts {
  uint64_t sends = 0, partial = 0, noBuffers = 0;
  // Zero-copy sends that the kernel completed, and those of them that it copied after all.
  uint64_t completed = 0, copied = 0;
};

// The server's ends of the connections under measurement.
// Ownership: owns its descriptors. Threads: one.
class SendSockets {
 public:
  SendSockets();
  ~SendSockets();
  SendSockets(const SendSockets&) = delete;
  SendSockets& operator=(const SendSockets&) = delete;

  // False when they do not all come in time, see `failure`.
  bool accept(const char* host, uint16_t port, size_t count, int timeoutMs);
  const std::string& failure() const { return failure_; }
  size_t count() const { return fds_.size(); }

  // One send of the same pieces to every socket.
  void sendToAll(std::vector<iovec>& pieces, size_t bytes, bool zeroCopy);
  // Reads every completion that has come.
  void drain();
  SendCounts takeCounts();
  // Zero-copy sends that are not completed.
  uint64_t outstanding() const { return outstanding_; }

 private:
  bool fail(const char* what);
  bool adopt(int fd);
  void drainOne(int fd);

  const int epoll_;
  int listener_ = -1;
  std::vector<int> fds_;
  std::string failure_;
  SendCounts counts_;
  uint64_t outstanding_ = 0;
};
