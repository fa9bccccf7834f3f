#pragma once

#include <napi.h>

#include <memory>

#include "vorbis-decoder.hpp"
#include "vorbis-encoder.hpp"

// The class `VorbisEncoder` of the addon: see `NativeVorbisEncoder` in src/base/native/native-addon.ts.
//
// Threads: that of its environment, at whose end it is freed as well; so is a decoder.
class VorbisEncoderBinding : public Napi::ObjectWrap<VorbisEncoderBinding> {
 public:
  static Napi::Function define(Napi::Env env);

  // Looks for the library: its version and file, or why there is none.
  static Napi::Value find(const Napi::CallbackInfo& info);

  explicit VorbisEncoderBinding(const Napi::CallbackInfo& info);

 private:
  Napi::Value begin(const Napi::CallbackInfo& info);
  Napi::Value process(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  Napi::Value listPackets(Napi::Env env);

  std::unique_ptr<zerocast::VorbisEncoder> encoder_;
  std::uint32_t frameBytes_ = 1;
  Napi::Reference<Napi::Uint32Array> sizes_;
};

// The class `VorbisDecoder` of the addon: see `NativeVorbisDecoder` in the same file.
class VorbisDecoderBinding : public Napi::ObjectWrap<VorbisDecoderBinding> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit VorbisDecoderBinding(const Napi::CallbackInfo& info);

 private:
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value decode(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::unique_ptr<zerocast::VorbisDecoder> decoder_;
};
