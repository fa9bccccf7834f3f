#include "client.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// Timestamps are whole microseconds of an exact sample count, so they round by up to one.
constexpr int64_t roundingUs = 1;
// Stamps of one exchange are in order but for this: rounding, and the time between stamp and send.
constexpr int64_t stampToleranceUs = 100;

std::string errorText(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

}  // namespace

Client::Client(int fd, uint32_t number, int timeBurst, int64_t nowUs, Measurement& measurement)
    : measurement_(measurement),
      fd_(fd),
      number_(number),
      startedUs_(nowUs),
      timeBurst_(timeBurst) {}

Client::~Client() { close(fd_); }

void Client::fail(const std::string& why) {
  if (!failed()) failure_ = "client " + std::to_string(number_) + ": " + why;
}

// Requests are some hundred bytes a second: a socket that does not take them whole is broken.
void Client::send(const uint8_t* message, size_t bytes) {
  const ssize_t sent = ::send(fd_, message, bytes, MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(bytes)) fail(errorText("send"));
}

// Client ids run from 2 to 9999 and on from 1, never 0 (protocol reference, section 2.1).
uint16_t Client::nextId() {
  lastId_ = lastId_ == 9999 ? uint16_t{1} : static_cast<uint16_t>(lastId_ + 1);
  return lastId_;
}

void Client::greet() {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return fail(std::string("connect: ") + std::strerror(error));
  char json[400];
  const int jsonBytes = std::snprintf(
      json, sizeof json,
      "{\"Arch\":\"x86_64\",\"ClientName\":\"Snapclient\",\"HostName\":\"bench-%u\","
      "\"ID\":\"bench-%u\",\"Instance\":1,\"MAC\":\"02:00:00:%02x:%02x:%02x\",\"OS\":\"Linux\","
      "\"SnapStreamProtocolVersion\":2,\"Version\":\"0.26.0\"}",
      number_, number_, number_ >> 16 & 0xff, number_ >> 8 & 0xff, number_ & 0xff);
  helloId_ = nextId();
  uint8_t message[512];
  const auto length32 = static_cast<uint32_t>(jsonBytes);
  const BaseHeader header{typeHello, helloId_, 0, monotonicUs(), 0, 4 + length32};
  putBaseHeader(message, &header);
  putU32(message + baseHeaderBytes, length32);
  std::memcpy(message + baseHeaderBytes + 4, json, length32);
  const int on = 1;
  setsockopt(fd_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  send(message, baseHeaderBytes + 4 + length32);
  state_ = State::greeted;
}

void Client::requestTime() {
  if (pendingTimeId_ != 0) {
    measurement_.timeUnanswered += 1;
    return;
  }
  uint8_t message[baseHeaderBytes + timeBodyBytes] = {};
  pendingTimeId_ = nextId();
  timeSentUs_ = monotonicUs();
  const BaseHeader header{typeTime, pendingTimeId_, 0, timeSentUs_, 0, timeBodyBytes};
  putBaseHeader(message, &header);
  send(message, sizeof message);
}

// Notes when the last of it arrived, by the kernel: a player of its own is not kept waiting by the
// other ones of this process when it sets its clock and begins to play.
ssize_t Client::receive(std::vector<uint8_t>& scratch) {
  iovec into{scratch.data() + rest_.size(), scratch.size() - rest_.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(fd_, &message, 0);
  timespec now{};
  timespec then{};
  clock_gettime(CLOCK_REALTIME, &now);
  arrivedUs_ = monotonicUs();
  const cmsghdr* const stamp = CMSG_FIRSTHDR(&message);
  if (got <= 0 || stamp == nullptr || stamp->cmsg_type != SCM_TIMESTAMPNS) return got;
  std::memcpy(&then, CMSG_DATA(stamp), sizeof then);
  arrivedUs_ -= (now.tv_sec - then.tv_sec) * 1000000 + (now.tv_nsec - then.tv_nsec) / 1000;
  return got;
}

void Client::onReadable(std::vector<uint8_t>& scratch) {
  std::memcpy(scratch.data(), rest_.data(), rest_.size());
  const ssize_t got = receive(scratch);
  if (got == 0) return fail("the server closed the connection");
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR) fail(errorText("recv"));
    return;
  }
  const int64_t nowUs = monotonicUs();
  if (measurement_.covers(nowUs)) measurement_.receivedBytes += static_cast<uint64_t>(got);
  const size_t bytes = rest_.size() + static_cast<size_t>(got);
  size_t at = 0;
  while (bytes - at >= baseHeaderBytes && !failed()) {
    const BaseHeader header = getBaseHeader(scratch.data() + at);
    if (header.bodyBytes > maxBodyBytes) return fail("a message claims too many bytes");
    if (bytes - at < baseHeaderBytes + header.bodyBytes) break;
    onMessage(header, scratch.data() + at + baseHeaderBytes, nowUs);
    at += baseHeaderBytes + header.bodyBytes;
  }
  rest_.assign(scratch.data() + at, scratch.data() + bytes);
}

void Client::onMessage(const BaseHeader& header, const uint8_t* body, int64_t nowUs) {
  switch (header.type) {
    case typeServerSettings:
      return onSettings(header);
    case typeCodecHeader:
      return onCodecHeader(header, body);
    case typeWireChunk:
      return onChunk(header, body, nowUs);
    case typeTime:
      return onTime(header, body, nowUs);
    default:
      return fail("message of type " + std::to_string(header.type));
  }
}

void Client::onSettings(const BaseHeader& header) {
  if (state_ != State::greeted) return;
  if (header.refersTo != helloId_) return fail("first ServerSettings does not answer the Hello");
  state_ = State::settled;
  if (timeBurst_ > 0) requestTime();
}

void Client::onCodecHeader(const BaseHeader& header, const uint8_t* body) {
  const bool isSwitch = state_ == State::streaming && measurement_.maySwitchStreams;
  if (state_ != State::settled && !isSwitch) return fail("CodecHeader out of order");
  if (header.bodyBytes < 8) return fail("CodecHeader too short");
  const uint32_t nameBytes = getU32(body);
  if (nameBytes > header.bodyBytes - 8) return fail("CodecHeader cut off");
  const std::string name(reinterpret_cast<const char*>(body) + 4, nameBytes);
  chunkUs_ = pcmBytesPerSec_ = 0;
  if (name == "pcm") {
    if (header.bodyBytes != 4 + nameBytes + 4 + 44) return fail("pcm header is not 44 bytes");
    const uint8_t* riff = body + 8 + nameBytes;
    const uint32_t bits = getU16(riff + 34);
    // 24 bits travel in 4 bytes (protocol reference, section 4.1).
    pcmBytesPerSec_ = int64_t{getU32(riff + 24)} * getU16(riff + 22) * (bits == 24 ? 4 : bits / 8);
    if (pcmBytesPerSec_ == 0) return fail("pcm header without a format");
  }
  if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz") != name.npos) {
    return fail("CodecHeader without a codec name");
  }
  measurement_.codec = name;
  state_ = State::streaming;
}

void Client::onChunk(const BaseHeader& header, const uint8_t* body, int64_t nowUs) {
  if (state_ != State::streaming) {
    if (!measurement_.skipsEarlyChunks) fail("WireChunk before the CodecHeader");
    return;
  }
  if (header.bodyBytes < wireChunkHeaderBytes) return fail("WireChunk too short");
  const size_t payloadBytes = getU32(body + 8);
  if (payloadBytes == 0 || payloadBytes != header.bodyBytes - wireChunkHeaderBytes) {
    return fail("WireChunk payload and message length disagree");
  }
  const int64_t timestampUs = getTimeUs(body);
  if (newestUs_ < 0) measurement_.firstChunkUs.add(arrivedUs_ - startedUs_);
  measurement_.heardChunks += 1;
  checkContinuity(timestampUs, payloadBytes);
  if (!hasRightPayload(timestampUs, body + wireChunkHeaderBytes, payloadBytes)) {
    measurement_.mismatches += 1;
  }
  const int64_t capturedUs = measurement_.serverClock.toOurs(timestampUs);
  if (!measurement_.covers(capturedUs)) return;
  windowChunks_ += 1;
  measurement_.chunks += 1;
  measurement_.chunkBytes += baseHeaderBytes + header.bodyBytes;
  measurement_.chunkAgeUs.add(nowUs - capturedUs);
}

bool Client::hasRightPayload(int64_t timestampUs, const uint8_t* payload, size_t bytes) {
  if (!measurement_.payloads.matches(timestampUs, payload, bytes)) return false;
  return !measurement_.pattern || measurement_.pattern->matches(timestampUs, payload, bytes);
}

// A pcm chunk says by its length where the next one starts; of the other codecs the first step
// counts for all that follow.
void Client::checkContinuity(int64_t timestampUs, size_t payloadBytes) {
  const int64_t stepUs = timestampUs - newestUs_;
  if (newestUs_ >= 0) {
    if (chunkUs_ == 0) chunkUs_ = stepUs;
    if (stepUs <= 0) {
      measurement_.duplicates += 1;
      return;
    }
    if (std::llabs(stepUs - chunkUs_) > roundingUs) onGap();
  }
  newestUs_ = timestampUs;
  if (pcmBytesPerSec_ > 0) {
    chunkUs_ = static_cast<int64_t>(payloadBytes) * 1000000 / pcmBytesPerSec_;
  }
  measurement_.chunkUs = chunkUs_;
}

// Behind a gap the audio begins anew: it would all be wrong otherwise, which says no more.
void Client::onGap() {
  measurement_.gaps += 1;
  if (measurement_.pattern) measurement_.pattern->forgetOrigin();
}

void Client::onTime(const BaseHeader& header, const uint8_t* body, int64_t nowUs) {
  if (header.bodyBytes != timeBodyBytes || pendingTimeId_ == 0 ||
      header.refersTo != pendingTimeId_) {
    return fail("Time reply to no request");
  }
  pendingTimeId_ = 0;
  ServerClock& clock = measurement_.serverClock;
  clock.learn(timeSentUs_, header.receivedUs, header.sentUs, arrivedUs_);
  const int64_t toleranceUs = stampToleranceUs + clock.toleranceUs();
  const int64_t latencyUs = getTimeUs(body);
  // Requested <= received by the server <= replied <= now, brought to one clock.
  const bool ordered = clock.toOurs(header.receivedUs) >= timeSentUs_ - toleranceUs &&
                       header.sentUs >= header.receivedUs &&
                       clock.toOurs(header.sentUs) <= nowUs + toleranceUs &&
                       std::llabs(header.receivedUs - timeSentUs_ - latencyUs) <= stampToleranceUs;
  if (!ordered) measurement_.timeWrong += 1;
  if (measurement_.covers(timeSentUs_)) measurement_.timeRoundTripUs.add(nowUs - timeSentUs_);
  if (timeBurst_ == 0) return;
  clockOffsetsUs_.push_back(
      ServerClock::offsetOf(timeSentUs_, header.receivedUs, header.sentUs, arrivedUs_));
  if (--timeBurst_ > 0) requestTime();
}

int64_t Client::syncErrorUs() const {
  if (clockOffsetsUs_.empty()) return 0;
  std::vector<int64_t> offsetsUs = clockOffsetsUs_;
  const auto middle = offsetsUs.begin() + static_cast<std::ptrdiff_t>(offsetsUs.size() / 2);
  std::nth_element(offsetsUs.begin(), middle, offsetsUs.end());
  return std::llabs(*middle - measurement_.serverClock.offsetUs());
}
