#pragma once

#include <napi.h>

#include <memory>

#include "flac-encoder.hpp"

// The class `FlacEncoder` of the addon: see `NativeFlacEncoder` in src/base/native/native-addon.ts.
//
// Threads: that of its environment, at whose end it is freed as well.
class FlacEncoderBinding : public Napi::ObjectWrap<FlacEncoderBinding> {
 public:
  static Napi::Function define(Napi::Env env);

  // Looks for the library: its version and file, or why there is none.
  static Napi::Value find(const Napi::CallbackInfo& info);

  explicit FlacEncoderBinding(const Napi::CallbackInfo& info);

 private:
  Napi::Value begin(const Napi::CallbackInfo& info);
  Napi::Value process(const Napi::CallbackInfo& info);
  Napi::Value finish(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  Napi::Value stateText(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  [[nodiscard]] bool isOpen() const;
  Napi::Value listBlocks(Napi::Env env, bool isDone);

  std::unique_ptr<zerocast::FlacEncoder> encoder_;
  std::uint32_t frameBytes_ = 1;
  Napi::Reference<Napi::Uint32Array> blocks_;
};
