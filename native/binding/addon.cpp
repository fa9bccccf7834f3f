#include <napi.h>

#include <cstdint>
#include <cstring>

#include "slab.hpp"
#ifndef _WIN32
#include "dsp-binding.hpp"
#include "flac-encoder-binding.hpp"
#include "vorbis-binding.hpp"
#endif
#ifdef __linux__
#include "acceptor-binding.hpp"
#include "capture-binding.hpp"
#include "fan-out-binding.hpp"
#include "file-copy-binding.hpp"
#include "system-binding.hpp"
#endif

// Checks arguments, calls the core, converts the result. Nothing here is static: several
// environments (worker threads) may load the addon at once.

// The build passes the version of the package as bare text, because quotes in a definition do not
// survive every shell. An addon that was built without it is refused by the loader.
#ifndef ZEROCAST_VERSION
#define ZEROCAST_VERSION unknown
#endif
#define ZEROCAST_TEXT_OF(text) #text
#define ZEROCAST_TEXT(macro) ZEROCAST_TEXT_OF(macro)

namespace {

// Far above any slab, and exact as a double.
constexpr double maxSlabBytes = 1024.0 * 1024.0 * 1024.0;

void throwTypeError(Napi::Env env, const char* message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
}

Napi::Value allocateSlab(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsNumber()) {
    throwTypeError(env, "allocateSlab needs a number of bytes");
    return env.Undefined();
  }
  const double bytes = info[0].As<Napi::Number>().DoubleValue();
  // Written so that NaN fails too; a fraction would silently round.
  if (!(bytes >= 1 && bytes <= maxSlabBytes) ||
      bytes != static_cast<double>(static_cast<std::size_t>(bytes))) {
    Napi::RangeError::New(env, "allocateSlab needs a whole number of bytes, 1 to 1073741824")
        .ThrowAsJavaScriptException();
    return env.Undefined();
  }
  auto slab = zerocast::Slab::allocate(static_cast<std::size_t>(bytes));
  if (!slab) {
    Napi::Error::New(env, "the system has no memory for a slab").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  // V8 counts the bytes of an external ArrayBuffer as external memory by itself, so the collector
  // feels their weight without a call to AdjustExternalMemory.
  const std::size_t slabBytes = slab->bytes();
  const auto finalize = [slabBytes](Napi::Env, void* data) {
    zerocast::Slab::free(data, slabBytes);
  };
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, slab->data(), slabBytes, finalize);
  // On an exception no ArrayBuffer took the memory over: the slab still frees it.
  if (env.IsExceptionPending()) return env.Undefined();
  static_cast<void>(slab->release());
  return buffer;
}

// Its memory goes back at once instead of at the next collection, which may be far away.
Napi::Value releaseSlab(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsArrayBuffer()) {
    throwTypeError(env, "releaseSlab needs an ArrayBuffer");
    return env.Undefined();
  }
  info[0].As<Napi::ArrayBuffer>().Detach();
  return env.Undefined();
}

Napi::Value isPageAligned(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsArrayBuffer()) {
    throwTypeError(env, "isPageAligned needs an ArrayBuffer");
    return env.Undefined();
  }
  return Napi::Boolean::New(env, zerocast::isPageAligned(info[0].As<Napi::ArrayBuffer>().Data()));
}

// The number by which native code reaches the memory: exact, as a user-space address has fewer bits
// than a double keeps.
Napi::Value addressOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsArrayBuffer()) {
    throwTypeError(env, "addressOf needs an ArrayBuffer");
    return env.Undefined();
  }
  const void* const data = info[0].As<Napi::ArrayBuffer>().Data();
  return Napi::Number::New(env, static_cast<double>(reinterpret_cast<std::uintptr_t>(data)));
}

#ifdef __linux__
// Empty when the system knows zero-copy sending, else the reason in words.
Napi::Value zeroCopyRefusal(const Napi::CallbackInfo& info) {
  const int error = zerocast::probeZeroCopy();
  return Napi::String::New(info.Env(), error == 0 ? "" : std::strerror(error));
}
#endif

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("version", Napi::String::New(env, ZEROCAST_TEXT(ZEROCAST_VERSION)));
  exports.Set("allocateSlab", Napi::Function::New(env, allocateSlab, "allocateSlab"));
  exports.Set("releaseSlab", Napi::Function::New(env, releaseSlab, "releaseSlab"));
  exports.Set("isPageAligned", Napi::Function::New(env, isPageAligned, "isPageAligned"));
  exports.Set("addressOf", Napi::Function::New(env, addressOf, "addressOf"));
#ifndef _WIN32
  exports.Set("dsp", Napi::Value(env, defineDsp(env)));
  exports.Set("findLibflac", Napi::Function::New(env, FlacEncoderBinding::find, "findLibflac"));
  exports.Set("FlacEncoder", FlacEncoderBinding::define(env));
  exports.Set("findLibvorbis", Napi::Function::New(env, VorbisEncoderBinding::find, "findLibvorbis"));
  exports.Set("VorbisEncoder", VorbisEncoderBinding::define(env));
  exports.Set("VorbisDecoder", VorbisDecoderBinding::define(env));
#endif
#ifdef __linux__
  exports.Set("zeroCopyRefusal", Napi::Function::New(env, zeroCopyRefusal, "zeroCopyRefusal"));
  exports.Set("Acceptor", AcceptorBinding::define(env));
  exports.Set("FanOut", FanOutBinding::define(env));
  zerocast::defineSystemCalls(env, exports);
  zerocast::defineFileCopy(env, exports);
  zerocast::defineCaptures(env, exports);
#endif
  return exports;
}

}  // namespace

NODE_API_MODULE(zerocast, initialise)
