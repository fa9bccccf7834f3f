#include "system-binding.hpp"

#include <span>
#include <string>

#include "datagram.hpp"
#include "file-lock.hpp"
#include "input-queue.hpp"
#include "peer-timeout.hpp"
#include "tcp-facts.hpp"
#include "zero-copy-probe.hpp"

// Each function but the probe, the facts and those of the input queue returns 0, or an errno. Arguments of the wrong
// kind are faults of ours: they throw.

namespace zerocast {

namespace {

Napi::Value refuse(Napi::Env env, const char* message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
  return env.Undefined();
}

bool isNumber(const Napi::CallbackInfo& info, std::size_t index) {
  return info.Length() > index && info[index].IsNumber();
}

int integerAt(const Napi::CallbackInfo& info, std::size_t index) {
  return info[index].As<Napi::Number>().Int32Value();
}

bool isTypedArray(const Napi::CallbackInfo& info, std::size_t index, napi_typedarray_type type) {
  return info.Length() > index && info[index].IsTypedArray() &&
         info[index].As<Napi::TypedArray>().TypedArrayType() == type;
}

Napi::Value setPeerTimeoutOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isNumber(info, 0) || !isNumber(info, 1)) {
    return refuse(env, "setPeerTimeout needs a descriptor and milliseconds");
  }
  return Napi::Number::New(env, setPeerTimeout(integerAt(info, 0), integerAt(info, 1)));
}

// A row of `tcpFactCount` numbers for each descriptor, in one call for all.
Napi::Value readTcpFactsOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isTypedArray(info, 0, napi_int32_array) || !isTypedArray(info, 1, napi_float64_array)) {
    return refuse(env, "readTcpFacts needs descriptors and memory");
  }
  const auto descriptors = info[0].As<Napi::Int32Array>();
  auto rows = info[1].As<Napi::Float64Array>();
  const std::size_t count = descriptors.ElementLength();
  if (rows.ElementLength() < count * tcpFactCount) {
    return refuse(env, "readTcpFacts needs a row for each descriptor");
  }
  for (std::size_t index = 0; index < count; ++index) {
    double* const row = rows.Data() + index * tcpFactCount;
    static_cast<void>(
        readTcpFacts(descriptors.Data()[index], std::span<double, tcpFactCount>(row, tcpFactCount)));
  }
  return env.Undefined();
}

Napi::Value lockFileOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isNumber(info, 0)) return refuse(env, "lockFile needs a descriptor");
  return Napi::Number::New(env, lockFile(integerAt(info, 0)));
}

// Bytes, or a negative errno.
Napi::Value unreadBytesOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isNumber(info, 0)) return refuse(env, "unreadBytes needs a descriptor");
  return Napi::Number::New(env, unreadBytes(integerAt(info, 0)));
}

// Bytes, or a negative errno.
Napi::Value readUnreadOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isNumber(info, 0) || info.Length() < 2 || !info[1].IsTypedArray()) {
    return refuse(env, "readUnread needs a descriptor and memory");
  }
  auto target = info[1].As<Napi::Uint8Array>();
  return Napi::Number::New(env, readUnread(integerAt(info, 0), target.Data(), target.ByteLength()));
}

// Bytes, or a negative errno.
Napi::Value limitUnreadOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isNumber(info, 0) || !isNumber(info, 1)) {
    return refuse(env, "limitUnread needs a descriptor and bytes");
  }
  return Napi::Number::New(env, limitUnread(integerAt(info, 0), integerAt(info, 1)));
}

// Bytes, or a negative errno.
Napi::Value widenPipeOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isNumber(info, 0) || !isNumber(info, 1)) {
    return refuse(env, "widenPipe needs a descriptor and bytes");
  }
  return Napi::Number::New(env, widenPipe(integerAt(info, 0), integerAt(info, 1)));
}

Napi::Value sendDatagramOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 2 || !info[0].IsString() || !info[1].IsString()) {
    return refuse(env, "sendDatagram needs a path and a text");
  }
  const std::string path = info[0].As<Napi::String>();
  const std::string text = info[1].As<Napi::String>();
  return Napi::Number::New(env, sendDatagram(path, text));
}

// In the order of `ProbeStep`; the addon's interface in src/base/native/native-addon.ts lists them too.
constexpr const char* probeSteps[] = {"connect", "allow", "send", "complete", "done"};

Napi::Value sendZeroCopyProbeOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const ZeroCopyProbe probe = sendZeroCopyProbe();
  Napi::Object result = Napi::Object::New(env);
  result.Set("step", probeSteps[static_cast<std::size_t>(probe.step)]);
  result.Set("error", probe.error);
  result.Set("copied", Napi::Boolean::New(env, probe.copied));
  return result;
}

}  // namespace

void defineSystemCalls(Napi::Env env, Napi::Object exports) {
  exports.Set("setPeerTimeout", Napi::Function::New(env, setPeerTimeoutOf, "setPeerTimeout"));
  exports.Set("readTcpFacts", Napi::Function::New(env, readTcpFactsOf, "readTcpFacts"));
  exports.Set("lockFile", Napi::Function::New(env, lockFileOf, "lockFile"));
  exports.Set("unreadBytes", Napi::Function::New(env, unreadBytesOf, "unreadBytes"));
  exports.Set("readUnread", Napi::Function::New(env, readUnreadOf, "readUnread"));
  exports.Set("limitUnread", Napi::Function::New(env, limitUnreadOf, "limitUnread"));
  exports.Set("widenPipe", Napi::Function::New(env, widenPipeOf, "widenPipe"));
  exports.Set("sendDatagram", Napi::Function::New(env, sendDatagramOf, "sendDatagram"));
  exports.Set("sendZeroCopyProbe",
              Napi::Function::New(env, sendZeroCopyProbeOf, "sendZeroCopyProbe"));
}

}  // namespace zerocast
