// The little of the binary protocol that both benchmark programs speak, shared by C and C++.
// Source: protocol reference, sections 2 and 3.
#pragma once

#include <stdint.h>
#include <string.h>
#include <time.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the benchmark programs copy integers as they lie in memory, so they need little endian"
#endif

enum {
  baseHeaderBytes = 26,
  wireChunkHeaderBytes = 12,
  timeBodyBytes = 8,
  // The limit of the protocol for one body; more than that is a broken stream.
  maxBodyBytes = 1000000,
};

enum MessageType {
  typeCodecHeader = 1,
  typeWireChunk = 2,
  typeServerSettings = 3,
  typeTime = 4,
  typeHello = 5,
};

typedef struct BaseHeader {
  uint16_t type;
  uint16_t id;
  uint16_t refersTo;
  int64_t sentUs;
  int64_t receivedUs;
  uint32_t bodyBytes;
} BaseHeader;

// A clock that wall-clock changes never touch.
static inline int64_t monotonicUs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline uint16_t getU16(const uint8_t *at) {
  uint16_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static inline uint32_t getU32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

static inline void putU16(uint8_t *at, uint16_t value) { memcpy(at, &value, sizeof value); }

static inline void putU32(uint8_t *at, uint32_t value) { memcpy(at, &value, sizeof value); }

static inline int64_t getTimeUs(const uint8_t *at) {
  return (int64_t)(int32_t)getU32(at) * 1000000 + (int32_t)getU32(at + 4);
}

// The microseconds part stays within 0..999999, also below zero.
static inline void putTimeUs(uint8_t *at, int64_t timeUs) {
  int64_t sec = timeUs / 1000000;
  if (timeUs % 1000000 < 0) sec -= 1;
  putU32(at, (uint32_t)(int32_t)sec);
  putU32(at + 4, (uint32_t)(timeUs - sec * 1000000));
}

static inline BaseHeader getBaseHeader(const uint8_t *at) {
  BaseHeader header;
  header.type = getU16(at);
  header.id = getU16(at + 2);
  header.refersTo = getU16(at + 4);
  header.sentUs = getTimeUs(at + 6);
  header.receivedUs = getTimeUs(at + 14);
  header.bodyBytes = getU32(at + 22);
  return header;
}

static inline void putBaseHeader(uint8_t *at, const BaseHeader *header) {
  putU16(at, header->type);
  putU16(at + 2, header->id);
  putU16(at + 4, header->refersTo);
  putTimeUs(at + 6, header->sentUs);
  putTimeUs(at + 14, header->receivedUs);
  putU32(at + 22, header->bodyBytes);
}
