#include "capture-binding.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "capture/alsa-capture.hpp"
#include "capture/capture-run.hpp"
#include "capture/jack-capture.hpp"

namespace zerocast {

namespace {

// Devices that hang are waited for no longer: their thread ends when they let go of it.
constexpr std::chrono::seconds patience{2};

using SharedRun = CaptureRun::Holder;

Napi::Value refuse(Napi::Env env, const char* message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Object jsOf(Napi::Env env, const CaptureFault& fault) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("error", fault.error);
  result.Set("reason", fault.reason);
  return result;
}

// Work of the thread pool whose promise is resolved with what `Finish` makes of it.
class CaptureWork : public Napi::AsyncWorker {
 public:
  explicit CaptureWork(Napi::Env env) : Napi::AsyncWorker(env), done_(env) {}

  // It deletes itself when it is done.
  [[nodiscard]] Napi::Promise begin() {
    Queue();
    return done_.Promise();
  }

 protected:
  void OnOK() override { done_.Resolve(result(Env())); }
  [[nodiscard]] virtual Napi::Value result(Napi::Env env) = 0;

 private:
  Napi::Promise::Deferred done_;
};

class Stopping : public CaptureWork {
 public:
  Stopping(Napi::Env env, SharedRun run) : CaptureWork(env), run_(std::move(run)) {}

 protected:
  void Execute() override { isOver_ = run_->waitForEnd(patience); }
  Napi::Value result(Napi::Env env) override { return Napi::Boolean::New(env, isOver_); }

 private:
  SharedRun run_;
  bool isOver_ = false;
};

class Trial : public CaptureWork {
 public:
  Trial(Napi::Env env, std::unique_ptr<Capture> capture)
      : CaptureWork(env), capture_(std::move(capture)) {}

 protected:
  void Execute() override {
    fault_ = capture_->open();
    rateHz_ = capture_->rateHz();
    capture_.reset();
  }
  Napi::Value result(Napi::Env env) override {
    if (fault_) return jsOf(env, *fault_);
    Napi::Object result = Napi::Object::New(env);
    result.Set("rateHz", rateHz_);
    return result;
  }

 private:
  std::unique_ptr<Capture> capture_;
  std::optional<CaptureFault> fault_;
  std::uint32_t rateHz_ = 0;
};

// For environments that end before their captures.
void endRun(void* held) {
  const auto& run = *static_cast<SharedRun*>(held);
  run->stop();
  static_cast<void>(run->waitForEnd(patience));
}

void forgetRun(Napi::Env env, SharedRun* held) {
  napi_remove_env_cleanup_hook(env, endRun, held);
  (*held)->stop();
  delete held;
}

}  // namespace

Napi::Value startCapture(Napi::Env env, std::unique_ptr<Capture> capture) {
  const SharedRun run = CaptureRun::start(std::move(capture));
  if (!run) {
    Napi::Error::New(env, "there are no descriptors or threads left").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Descriptor readEnd = run->takeReadEnd();
  Napi::Object result = Napi::Object::New(env);
  result.Set("descriptor", readEnd.release());
  result.Set("fault", Napi::Function::New(env, [run](const Napi::CallbackInfo& info) -> Napi::Value {
    const auto fault = run->fault();
    return fault ? jsOf(info.Env(), *fault) : info.Env().Undefined();
  }));
  result.Set("overruns", Napi::Function::New(env, [run](const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), run->overruns());
  }));
  result.Set("stop", Napi::Function::New(env, [run](const Napi::CallbackInfo& info) {
    run->stop();
    return (new Stopping(info.Env(), run))->begin();
  }));
  auto* const held = new SharedRun(run);
  napi_add_env_cleanup_hook(env, endRun, held);
  result.AddFinalizer(forgetRun, held);
  return result;
}

Napi::Value tryCapture(Napi::Env env, std::unique_ptr<Capture> capture) {
  return (new Trial(env, std::move(capture)))->begin();
}

namespace {

std::uint32_t numberOf(const Napi::Object& settings, const char* name) {
  const Napi::Value value = settings.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().Uint32Value() : 0;
}

// Nothing when it was called in a wrong way; then an exception is pending.
std::unique_ptr<Capture> alsaCaptureOf(const Napi::CallbackInfo& info, bool takesNearRate) {
  const Napi::Env env = info.Env();
  const Napi::Value device = info[0].IsObject() ? info[0].As<Napi::Object>().Get("device") : info[0];
  if (!device.IsString()) {
    refuse(env, "hearing ALSA needs device, rateHz, channels, bits, periodUs and bufferUs");
    return nullptr;
  }
  const auto options = info[0].As<Napi::Object>();
  const AlsaCapture::Settings settings{
      .device = device.As<Napi::String>(),
      .format = {.rateHz = numberOf(options, "rateHz"),
                 .channels = numberOf(options, "channels"),
                 .bits = numberOf(options, "bits")},
      .isPacked24 = options.Get("packed24").ToBoolean(),
      .periodUs = numberOf(options, "periodUs"),
      .bufferUs = numberOf(options, "bufferUs"),
      .takesNearRate = takesNearRate,
  };
  const CaptureFormat& format = settings.format;
  const bool knowsBits = format.bits == 8 || format.bits == 16 || format.bits == 24 || format.bits == 32;
  if (!knowsBits || format.channels == 0 || format.rateHz == 0 || settings.periodUs == 0) {
    refuse(env, "ALSA is heard in 8, 16, 24 or 32 bit, at some rate, in periods");
    return nullptr;
  }
  const LibrarySearch<Libasound> search = findLibasound();
  if (!search.library) {
    Napi::Error::New(env, search.reason).ThrowAsJavaScriptException();
    return nullptr;
  }
  return std::make_unique<AlsaCapture>(*search.library, settings);
}

Napi::Value findLibasoundOf(const Napi::CallbackInfo& info) {
  const LibrarySearch<Libasound> search = findLibasound();
  Napi::Object result = Napi::Object::New(info.Env());
  if (search.library) result.Set("version", search.library->version());
  else result.Set("reason", search.reason);
  return result;
}

Napi::Value startAlsaOf(const Napi::CallbackInfo& info) {
  auto capture = alsaCaptureOf(info, false);
  return capture ? startCapture(info.Env(), std::move(capture)) : info.Env().Undefined();
}

Napi::Value tryAlsaOf(const Napi::CallbackInfo& info) {
  auto capture = alsaCaptureOf(info, true);
  return capture ? tryCapture(info.Env(), std::move(capture)) : info.Env().Undefined();
}

std::string textOf(const Napi::Object& settings, const char* name) {
  const Napi::Value value = settings.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
}

// Nothing when it was called in a wrong way; then an exception is pending.
std::unique_ptr<Capture> jackCaptureOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto options = info[0].IsObject() ? info[0].As<Napi::Object>() : Napi::Object::New(env);
  const Napi::Value pattern = options.Get("pattern");
  JackCapture::Settings settings{
      .name = textOf(options, "name"),
      .server = textOf(options, "server"),
      .format = {.rateHz = numberOf(options, "rateHz"),
                 .channels = numberOf(options, "channels"),
                 .bits = numberOf(options, "bits")},
      .pattern = std::nullopt,
      .skippedPorts = numberOf(options, "skippedPorts"),
  };
  if (pattern.IsString()) settings.pattern = pattern.As<Napi::String>().Utf8Value();
  const auto [rateHz, channels, bits] = settings.format;
  const bool knowsBits = bits == 16 || bits == 24 || bits == 32;
  if (!knowsBits || channels == 0 || channels > JackCapture::maxChannels || rateHz == 0) {
    refuse(env, "JACK is heard in 16, 24 or 32 bit, by 1 to 8 ports, at some rate");
    return nullptr;
  }
  const LibrarySearch<Libjack> search = findLibjack();
  if (!search.library) {
    Napi::Error::New(env, search.reason).ThrowAsJavaScriptException();
    return nullptr;
  }
  return std::make_unique<JackCapture>(*search.library, std::move(settings));
}

// Why it cannot be used; nothing where it can.
Napi::Value findLibjackOf(const Napi::CallbackInfo& info) {
  const LibrarySearch<Libjack> search = findLibjack();
  return search.library ? info.Env().Undefined() : Napi::String::New(info.Env(), search.reason);
}

Napi::Value startJackOf(const Napi::CallbackInfo& info) {
  auto capture = jackCaptureOf(info);
  return capture ? startCapture(info.Env(), std::move(capture)) : info.Env().Undefined();
}

Napi::Value tryJackOf(const Napi::CallbackInfo& info) {
  auto capture = jackCaptureOf(info);
  return capture ? tryCapture(info.Env(), std::move(capture)) : info.Env().Undefined();
}

}  // namespace

void defineCaptures(Napi::Env env, Napi::Object exports) {
  exports.Set("findLibasound", Napi::Function::New(env, findLibasoundOf, "findLibasound"));
  exports.Set("startAlsa", Napi::Function::New(env, startAlsaOf, "startAlsa"));
  exports.Set("tryAlsa", Napi::Function::New(env, tryAlsaOf, "tryAlsa"));
  exports.Set("findLibjack", Napi::Function::New(env, findLibjackOf, "findLibjack"));
  exports.Set("startJack", Napi::Function::New(env, startJackOf, "startJack"));
  exports.Set("tryJack", Napi::Function::New(env, tryJackOf, "tryJack"));
}

}  // namespace zerocast
