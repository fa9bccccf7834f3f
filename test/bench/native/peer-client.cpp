#include "peer-client.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// Timestamps are whole microseconds of an exact sample count, so they round by up to one.
constexpr int64_t roundingUs = 1;
// No message but a chunk is longer.
constexpr size_t longestMessageBytes = 65536;

}  // namespace

PeerClient::PeerClient(uint32_t number, uint32_t timeBurst, PeerNetwork& network,
                       Measurement& measurement)
    : number_(number), network_(network), measurement_(measurement), timeBurst_(timeBurst) {}

void PeerClient::fail(const std::string& why) {
  if (!failed()) failure_ = "client " + std::to_string(number_) + ": " + why;
}

// Client ids run from 2 to 9999 and on from 1, never 0 (protocol reference, section 2.1).
uint16_t PeerClient::nextId() {
  lastId_ = lastId_ == 9999 ? uint16_t{1} : static_cast<uint16_t>(lastId_ + 1);
  return lastId_;
}

void PeerClient::greet() {
  char json[400];
  const int jsonBytes = std::snprintf(
      json, sizeof json,
      "{\"Arch\":\"x86_64\",\"ClientName\":\"Snapclient\",\"HostName\":\"peer-%u\","
      "\"ID\":\"peer-%u\",\"Instance\":1,\"MAC\":\"02:00:01:%02x:%02x:%02x\",\"OS\":\"Linux\","
      "\"SnapStreamProtocolVersion\":2,\"Version\":\"0.26.0\"}",
      number_, number_, number_ >> 16 & 0xff, number_ >> 8 & 0xff, number_ & 0xff);
  helloId_ = nextId();
  uint8_t message[maxRequestBytes];
  const auto length32 = static_cast<uint32_t>(jsonBytes);
  const BaseHeader header{typeHello, helloId_, 0, monotonicUs(), 0, 4 + length32};
  putBaseHeader(message, &header);
  putU32(message + baseHeaderBytes, length32);
  std::memcpy(message + baseHeaderBytes + 4, json, length32);
  network_.send(number_, {message, baseHeaderBytes + 4 + length32});
  state_ = State::greeted;
}

void PeerClient::requestTime() {
  if (pendingTimeId_ != 0) {
    measurement_.timeUnanswered += 1;
    return;
  }
  uint8_t message[baseHeaderBytes + timeBodyBytes] = {};
  pendingTimeId_ = nextId();
  timeSentUs_ = monotonicUs();
  const BaseHeader header{typeTime, pendingTimeId_, 0, timeSentUs_, 0, timeBodyBytes};
  putBaseHeader(message, &header);
  network_.send(number_, message);
}

size_t PeerClient::wantedBytes() const {
  if (message_.size() < baseHeaderBytes) return baseHeaderBytes;
  return baseHeaderBytes +
         (header_.type == typeWireChunk ? size_t{wireChunkHeaderBytes} : header_.bodyBytes);
}

void PeerClient::onBytes(std::span<const uint8_t> bytes) {
  const int64_t nowUs = monotonicUs();
  if (measurement_.covers(nowUs)) measurement_.receivedBytes += bytes.size();
  while (!bytes.empty() && !failed()) {
    if (skipBytes_ > 0) {
      const size_t skipped = std::min(skipBytes_, bytes.size());
      skipBytes_ -= skipped;
      bytes = bytes.subspan(skipped);
      if (skipBytes_ == 0) onChunkEnd(nowUs);
      continue;
    }
    const auto taken = bytes.first(std::min(wantedBytes() - message_.size(), bytes.size()));
    message_.insert(message_.end(), taken.begin(), taken.end());
    bytes = bytes.subspan(taken.size());
    if (message_.size() == baseHeaderBytes) onHeader();
    if (failed() || message_.size() < wantedBytes()) continue;
    onMessage(nowUs);
    message_.clear();
  }
}

// A broken chain of messages shows here: behind a wrong length lies a header that makes no sense.
void PeerClient::onHeader() {
  header_ = getBaseHeader(message_.data());
  if (header_.type < typeCodecHeader || header_.type > typeTime) {
    return fail("message of type " + std::to_string(header_.type));
  }
  const size_t most = header_.type == typeWireChunk ? size_t{maxBodyBytes} : longestMessageBytes;
  if (header_.bodyBytes > most) fail("a message claims too many bytes");
}

void PeerClient::onMessage(int64_t nowUs) {
  switch (header_.type) {
    case typeServerSettings:
      return onSettings();
    case typeCodecHeader:
      return onCodecHeader();
    case typeWireChunk:
      return onChunkHeader();
    default:
      return onTime(nowUs);
  }
}

void PeerClient::onSettings() {
  if (state_ != State::greeted) return;
  if (header_.refersTo != helloId_) return fail("first ServerSettings does not answer the Hello");
  state_ = State::settled;
  if (timeBurst_ > 0) requestTime();
}

void PeerClient::onCodecHeader() {
  if (state_ != State::settled) return fail("CodecHeader out of order");
  const uint8_t* body = message_.data() + baseHeaderBytes;
  if (header_.bodyBytes < 8) return fail("CodecHeader too short");
  const uint32_t nameBytes = getU32(body);
  if (nameBytes > header_.bodyBytes - 8) return fail("CodecHeader cut off");
  const std::string name(reinterpret_cast<const char*>(body) + 4, nameBytes);
  if (name == "pcm") {
    if (header_.bodyBytes != 4 + nameBytes + 4 + 44) return fail("pcm header is not 44 bytes");
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

void PeerClient::onChunkHeader() {
  const uint8_t* body = message_.data() + baseHeaderBytes;
  if (state_ != State::streaming) return fail("WireChunk before the CodecHeader");
  chunkTimeUs_ = getTimeUs(body);
  skipBytes_ = getU32(body + 8);
  if (skipBytes_ == 0 || skipBytes_ + wireChunkHeaderBytes != header_.bodyBytes) {
    fail("WireChunk payload and message length disagree");
  }
}

void PeerClient::onChunkEnd(int64_t nowUs) {
  if (newestUs_ < 0) measurement_.firstChunkUs.add(nowUs - startedUs_);
  checkContinuity();
  const int64_t capturedUs = measurement_.serverClock.toOurs(chunkTimeUs_);
  if (!measurement_.covers(capturedUs)) return;
  windowChunks_ += 1;
  measurement_.chunks += 1;
  measurement_.chunkBytes += baseHeaderBytes + header_.bodyBytes;
  measurement_.chunkAgeUs.add(nowUs - capturedUs);
}

// A pcm chunk says by its length where the next one starts; of the other codecs the first step
// counts for all that follow.
void PeerClient::checkContinuity() {
  const int64_t stepUs = chunkTimeUs_ - newestUs_;
  if (newestUs_ >= 0) {
    if (chunkUs_ == 0) chunkUs_ = stepUs;
    if (stepUs <= 0) {
      measurement_.duplicates += 1;
      return;
    }
    if (std::llabs(stepUs - chunkUs_) > roundingUs) measurement_.gaps += 1;
  }
  newestUs_ = chunkTimeUs_;
  if (pcmBytesPerSec_ > 0) {
    chunkUs_ = (int64_t{header_.bodyBytes} - wireChunkHeaderBytes) * 1000000 / pcmBytesPerSec_;
  }
  measurement_.chunkUs = chunkUs_;
}

void PeerClient::onTime(int64_t nowUs) {
  if (header_.bodyBytes != timeBodyBytes || pendingTimeId_ == 0 ||
      header_.refersTo != pendingTimeId_) {
    return fail("Time reply to no request");
  }
  pendingTimeId_ = 0;
  measurement_.serverClock.learn(timeSentUs_, header_.receivedUs, header_.sentUs, nowUs);
  if (measurement_.covers(timeSentUs_)) measurement_.timeRoundTripUs.add(nowUs - timeSentUs_);
  if (timeBurst_ > 0 && --timeBurst_ > 0) requestTime();
}
