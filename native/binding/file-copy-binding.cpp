#include "file-copy-binding.hpp"

#include <cstdint>

#include "file-copy.hpp"

namespace zerocast {

namespace {

using Copy = std::int64_t (*)(int from, int to, std::int64_t at, std::size_t bytes) noexcept;

// All of a file: the place and the bytes do not matter.
std::int64_t cloneAll(int from, int to, std::int64_t, std::size_t) noexcept {
  return -cloneFile(from, to);
}

// One call of the core, which may take long. The promise resolves to what it returns.
class CopyWork : public Napi::AsyncWorker {
 public:
  struct Piece {
    int from = -1;
    int to = -1;
    std::int64_t at = 0;
    std::size_t bytes = 0;
  };

  CopyWork(Napi::Env env, Copy copy, Piece piece)
      : Napi::AsyncWorker(env), done_(env), copy_(copy), piece_(piece) {}

  [[nodiscard]] Napi::Promise promise() const { return done_.Promise(); }

 protected:
  void Execute() override { result_ = copy_(piece_.from, piece_.to, piece_.at, piece_.bytes); }
  void OnOK() override { done_.Resolve(Napi::Number::New(Env(), static_cast<double>(result_))); }

 private:
  Napi::Promise::Deferred done_;
  const Copy copy_;
  const Piece piece_;
  std::int64_t result_ = 0;
};

Napi::Value refuse(Napi::Env env, const char* message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
  return env.Undefined();
}

bool areNumbers(const Napi::CallbackInfo& info, std::size_t count) {
  if (info.Length() < count) return false;
  for (std::size_t index = 0; index < count; ++index) {
    if (!info[index].IsNumber()) return false;
  }
  return true;
}

Napi::Value start(const Napi::CallbackInfo& info, Copy copy, CopyWork::Piece piece) {
  auto* const work = new CopyWork(info.Env(), copy, piece);
  const Napi::Promise promise = work->promise();
  // It deletes itself when it is done.
  work->Queue();
  return promise;
}

template <Copy copy>
Napi::Value copyPieceOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!areNumbers(info, 4)) {
    return refuse(env, "copying needs two descriptors, a place and bytes");
  }
  const std::int64_t at = info[2].As<Napi::Number>().Int64Value();
  const std::int64_t bytes = info[3].As<Napi::Number>().Int64Value();
  if (at < 0 || bytes < 1) return refuse(env, "copying needs a place and bytes above 0");
  return start(info, copy,
               {info[0].As<Napi::Number>().Int32Value(), info[1].As<Napi::Number>().Int32Value(),
                at, static_cast<std::size_t>(bytes)});
}

Napi::Value cloneFileOf(const Napi::CallbackInfo& info) {
  if (!areNumbers(info, 2)) return refuse(info.Env(), "cloneFile needs two descriptors");
  return start(
      info, cloneAll,
      {info[0].As<Napi::Number>().Int32Value(), info[1].As<Napi::Number>().Int32Value(), 0, 0});
}

}  // namespace

void defineFileCopy(Napi::Env env, Napi::Object exports) {
  exports.Set("cloneFile", Napi::Function::New(env, cloneFileOf, "cloneFile"));
  exports.Set("copyRange", Napi::Function::New(env, copyPieceOf<copyRange>, "copyRange"));
  exports.Set("sendRange", Napi::Function::New(env, copyPieceOf<sendRange>, "sendRange"));
}

}  // namespace zerocast
