#pragma once

#include <cstdint>

#include "system-library.hpp"

namespace zerocast {

// What we use of the system's libvorbisenc and libvorbis: a machine without them encodes by
// WebAssembly, and decodes no Vorbis.
//
// Its callers own the structs, so their layout is part of its interface and the same since 1.0
// (libvorbis.so.0, libvorbisenc.so.2). What the library alone looks into is opaque here.
// Source: vorbis/codec.h, vorbis/vorbisenc.h, ogg/ogg.h.
struct Libvorbis {
  struct Info {
    int version;
    int channels;
    long rate;
    long bitrates[4];
    void* setup;
  };
  struct Comment {
    char** comments;
    int* lengths;
    int count;
    char* vendor;
  };
  struct State {
    int isAnalysis;
    Info* info;
    float** pcm;
    float** returned;
    int numbers[5];
    long windows[4];
    std::int64_t positions[6];
    void* backend;
  };
  struct Block {
    float** pcm;
    struct {
      long endByte;
      int endBit;
      unsigned char* buffer;
      unsigned char* at;
      long storage;
    } bits;
    long windows[3];
    int numbers[3];
    std::int64_t positions[2];
    State* state;
    void* store;
    long sizes[3];
    void* reap;
    long statistics[4];
    void* internal;
  };
  struct Packet {
    unsigned char* bytes;
    long size;
    long isFirst;
    long isLast;
    std::int64_t granule;
    std::int64_t number;
  };

  void (*infoInit)(Info*);
  void (*infoClear)(Info*);
  void (*commentInit)(Comment*);
  void (*commentClear)(Comment*);
  void (*stateClear)(State*);
  int (*blockInit)(State*, Block*);
  int (*blockClear)(Block*);

  int (*encodeInitVbr)(Info*, long channels, long rate, float quality);
  int (*analysisInit)(State*, Info*);
  int (*headerOut)(State*, Comment*, Packet* identification, Packet* comment, Packet* setup);
  float** (*analysisBuffer)(State*, int frames);
  int (*analysisWrote)(State*, int frames);
  int (*blockOut)(State*, Block*);
  int (*analysis)(Block*, Packet*);
  int (*addBlock)(Block*);
  int (*flushPacket)(State*, Packet*);

  int (*headerIn)(Info*, Comment*, Packet*);
  int (*synthesisInit)(State*, Info*);
  int (*synthesis)(Block*, Packet*);
  int (*blockIn)(State*, Block*);
  int (*pcmOut)(State*, float*** pcm);
  int (*read)(State*, int frames);

  // What is in the name of both libraries in the comments that they write.
  const char* version;
  const char* file;
};

using LibvorbisSearch = LibrarySearch<Libvorbis>;

// It is searched for by its name alone, where the system has its libraries, and stays loaded.
[[nodiscard]] LibvorbisSearch findLibvorbis();

}  // namespace zerocast
