#pragma once

#include <cstdint>

// The server's clock as seen from here: only the difference counts, as for a real client.
// The quickest exchange so far knows it best; all clients of the process share what it said.
class ServerClock {
 public:
  // One Time exchange: sent and answered by our clock, received and replied by the server's.
  void learn(int64_t sentUs, int64_t receivedUs, int64_t repliedUs, int64_t answeredUs) {
    const int64_t roundTripUs = answeredUs - sentUs - (repliedUs - receivedUs);
    if (roundTripUs < 0 || roundTripUs >= bestRoundTripUs_) return;
    bestRoundTripUs_ = roundTripUs;
    offsetUs_ = offsetOf(sentUs, receivedUs, repliedUs, answeredUs);
  }

  // What one exchange says alone.
  static int64_t offsetOf(int64_t sentUs, int64_t receivedUs, int64_t repliedUs,
                          int64_t answeredUs) {
    return (receivedUs - sentUs + repliedUs - answeredUs) / 2;
  }

  int64_t toOurs(int64_t serverUs) const { return serverUs - offsetUs_; }
  int64_t offsetUs() const { return offsetUs_; }
  // How wrong `toOurs` may be: the two ways may have taken different times.
  int64_t toleranceUs() const { return bestRoundTripUs_ / 2 + 1; }

 private:
  int64_t bestRoundTripUs_ = INT64_MAX / 2;
  int64_t offsetUs_ = 0;
};
