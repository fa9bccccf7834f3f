#include "acceptor-binding.hpp"

Napi::Function AcceptorBinding::define(Napi::Env env) {
  return DefineClass(env, "Acceptor",
                     {
                         InstanceMethod<&AcceptorBinding::accept>("accept"),
                         InstanceMethod<&AcceptorBinding::watch>("watch"),
                         InstanceMethod<&AcceptorBinding::close>("close"),
                     });
}

AcceptorBinding::AcceptorBinding(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<AcceptorBinding>(info),
      acceptor_(info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : -1) {
  if (!info[1].IsFunction()) {
    Napi::TypeError::New(info.Env(), "an acceptor needs a descriptor and a function")
        .ThrowAsJavaScriptException();
    return;
  }
  onWaiting_ = Napi::Persistent(info[1].As<Napi::Function>());
  openPoll();
}

AcceptorBinding::~AcceptorBinding() { closePoll(); }

Napi::Value AcceptorBinding::accept(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), acceptor_.accept());
}

Napi::Value AcceptorBinding::watch(const Napi::CallbackInfo& info) {
  if (!info[0].ToBoolean()) {
    closePoll();
  } else if (poll_ == nullptr) {
    openPoll();
  }
  return info.Env().Undefined();
}

Napi::Value AcceptorBinding::close(const Napi::CallbackInfo& info) {
  closePoll();
  acceptor_.close();
  return info.Env().Undefined();
}

void AcceptorBinding::openPoll() {
  const CompletionPoll::Owner owner{
      this,
      [](void* self) { static_cast<AcceptorBinding*>(self)->onWaiting(); },
      [](void* self) { static_cast<AcceptorBinding*>(self)->closePoll(); },
  };
  if (acceptor_.isOpen()) poll_ = CompletionPoll::open(Env(), acceptor_.fd(), owner);
  if (poll_ == nullptr) {
    Napi::Error::New(Env(), "the listening socket cannot be watched").ThrowAsJavaScriptException();
    return;
  }
  // As a server of Node does: a process that listens is not at its end.
  poll_->keepLoop();
}

void AcceptorBinding::closePoll() noexcept {
  if (poll_ != nullptr) poll_->close();
  poll_ = nullptr;
}

void AcceptorBinding::onWaiting() {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  onWaiting_.MakeCallback(env.Global(), {});
  if (!env.IsExceptionPending()) return;
  // No caller stands above this call: the process ends as with any uncaught exception.
  napi_fatal_exception(env, env.GetAndClearPendingException().Value());
}
