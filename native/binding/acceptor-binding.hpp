#pragma once

#include <napi.h>

#include "acceptor.hpp"
#include "completion-poll.hpp"

// The class `Acceptor` of the addon: see `NativeAcceptor` in src/base/native/native-addon.ts.
//
// Threads: that of its environment.
class AcceptorBinding : public Napi::ObjectWrap<AcceptorBinding> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit AcceptorBinding(const Napi::CallbackInfo& info);
  ~AcceptorBinding() override;

 private:
  Napi::Value accept(const Napi::CallbackInfo& info);
  Napi::Value watch(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  void openPoll();
  void closePoll() noexcept;
  void onWaiting();

  zerocast::Acceptor acceptor_;
  CompletionPoll* poll_ = nullptr;
  Napi::FunctionReference onWaiting_;
};
