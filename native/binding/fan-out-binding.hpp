#pragma once

#include <napi.h>

#include <initializer_list>
#include <vector>

#include "completion-poll.hpp"
#include "fan-out.hpp"

// The class `FanOut` of the addon: see `NativeFanOutAddon` in src/base/native/native-addon.ts.
//
// Ownership: keeps the memory that JavaScript shares with it (the buffers of `useBuffers`, the word
// of each socket) referenced as long as it may touch it.
// Threads: that of its environment.
class FanOutBinding : public Napi::ObjectWrap<FanOutBinding> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit FanOutBinding(const Napi::CallbackInfo& info);
  ~FanOutBinding() override;

 private:
  // Memory for what goes in and out with each call, so that no call makes an object.
  struct Buffers {
    Napi::Reference<Napi::Float64Array> addresses;
    Napi::Reference<Napi::Uint32Array> sizes;
    Napi::Reference<Napi::Uint32Array> handles;
    Napi::Reference<Napi::Int32Array> orders;
    Napi::Reference<Napi::Int32Array> outcomes;
    Napi::Reference<Napi::Uint32Array> released;
    Napi::Reference<Napi::Float64Array> counters;
  };

  Napi::Value useBuffers(const Napi::CallbackInfo& info);
  Napi::Value add(const Napi::CallbackInfo& info);
  Napi::Value isZeroCopy(const Napi::CallbackInfo& info);
  Napi::Value remove(const Napi::CallbackInfo& info);
  Napi::Value deliver(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value readPlayer(const Napi::CallbackInfo& info);
  Napi::Value answerPlayer(const Napi::CallbackInfo& info);
  Napi::Value answeredUs(const Napi::CallbackInfo& info);
  Napi::Value askedUs(const Napi::CallbackInfo& info);
  Napi::Value takeReleased(const Napi::CallbackInfo& info);
  Napi::Value takeCounters(const Napi::CallbackInfo& info);
  Napi::Value sweep(const Napi::CallbackInfo& info);
  Napi::Value abandon(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  void onReadable();
  void tellEvents();
  void callBack(const Napi::FunctionReference& callback, std::initializer_list<napi_value> values);
  [[nodiscard]] bool hasRoomFor(std::size_t chunks, std::size_t orders) const;
  void fillWindow(std::size_t chunks);
  void closePoll() noexcept;

  zerocast::FanOut fanOut_;
  CompletionPoll* poll_ = nullptr;
  Napi::FunctionReference onReleased_;
  Napi::FunctionReference onPlayer_;
  zerocast::PlayerEvents events_;
  Buffers buffers_;
  std::vector<zerocast::Piece> window_;
  std::vector<Napi::Reference<Napi::Int32Array>> words_;
};
