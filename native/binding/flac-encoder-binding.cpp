#include "flac-encoder-binding.hpp"

#include <algorithm>
#include <span>

using zerocast::FlacEncoder;

namespace {

// JavaScript reads blocks as rows of two 32-bit numbers.
constexpr std::size_t blockNumbers = 2;
static_assert(sizeof(FlacEncoder::Block) == blockNumbers * sizeof(std::uint32_t));

constexpr const char* notOpen = "the encoder is closed";

Napi::Value refuse(Napi::Env env, const char* message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
  return env.Undefined();
}

std::uint32_t numberOf(const Napi::Object& settings, const char* name) {
  const Napi::Value value = settings.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().Uint32Value() : 0;
}

std::uint32_t sampleBytes(std::uint32_t bits) { return bits == 24 ? 4 : bits / 8; }

bool areUsable(const FlacEncoder::Settings& settings) {
  const bool knowsBits = settings.bits == 8 || settings.bits == 16 || settings.bits == 24;
  return knowsBits && settings.channels > 0 && settings.rateHz > 0 && settings.blockFrames > 0;
}

std::span<std::byte> bytesOf(Napi::Uint8Array array) {
  return {reinterpret_cast<std::byte*>(array.Data()), array.ByteLength()};
}

bool isBytes(const Napi::CallbackInfo& info, std::size_t index) {
  return info.Length() > index && info[index].IsTypedArray() &&
         info[index].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
}

}  // namespace

Napi::Function FlacEncoderBinding::define(Napi::Env env) {
  return DefineClass(env, "FlacEncoder",
                     {
                         InstanceMethod<&FlacEncoderBinding::begin>("begin"),
                         InstanceMethod<&FlacEncoderBinding::process>("process"),
                         InstanceMethod<&FlacEncoderBinding::finish>("finish"),
                         InstanceMethod<&FlacEncoderBinding::take>("take"),
                         InstanceMethod<&FlacEncoderBinding::stateText>("stateText"),
                         InstanceMethod<&FlacEncoderBinding::close>("close"),
                     });
}

Napi::Value FlacEncoderBinding::find(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const zerocast::LibflacSearch search = zerocast::findLibflac();
  Napi::Object result = Napi::Object::New(env);
  if (search.library) {
    result.Set("version", search.library->version);
    result.Set("file", search.library->file);
  } else {
    result.Set("reason", search.reason);
  }
  return result;
}

FlacEncoderBinding::FlacEncoderBinding(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<FlacEncoderBinding>(info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsObject()) {
    refuse(env, "FlacEncoder needs settings");
    return;
  }
  const auto options = info[0].As<Napi::Object>();
  const FlacEncoder::Settings settings{
      .rateHz = numberOf(options, "rateHz"),
      .channels = numberOf(options, "channels"),
      .bits = numberOf(options, "bits"),
      .level = numberOf(options, "level"),
      .blockFrames = numberOf(options, "blockFrames"),
  };
  const Napi::Value blocks = options.Get("blocks");
  if (!areUsable(settings) || !blocks.IsTypedArray() ||
      blocks.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
    refuse(env, "FlacEncoder needs rateHz, channels, bits, level, blockFrames and blocks");
    return;
  }
  const zerocast::LibflacSearch search = zerocast::findLibflac();
  if (!search.library) {
    Napi::Error::New(env, search.reason).ThrowAsJavaScriptException();
    return;
  }
  frameBytes_ = sampleBytes(settings.bits) * settings.channels;
  blocks_ = Napi::Persistent(blocks.As<Napi::Uint32Array>());
  encoder_ = std::make_unique<FlacEncoder>(*search.library, settings);
  if (!encoder_->isOpen()) Napi::Error::New(env, "out of memory").ThrowAsJavaScriptException();
}

Napi::Value FlacEncoderBinding::begin(const Napi::CallbackInfo& info) {
  if (!isOpen()) return refuse(info.Env(), notOpen);
  return Napi::Number::New(info.Env(), encoder_->begin());
}

Napi::Value FlacEncoderBinding::process(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!isOpen()) return refuse(env, notOpen);
  if (!isBytes(info, 0) || !info[1].IsNumber() || !info[2].IsNumber()) {
    return refuse(env, "process needs PCM, the first frame and a number of frames");
  }
  const std::span<std::byte> pcm = bytesOf(info[0].As<Napi::Uint8Array>());
  const std::size_t start = std::size_t{info[1].As<Napi::Number>().Uint32Value()} * frameBytes_;
  const std::size_t bytes = std::size_t{info[2].As<Napi::Number>().Uint32Value()} * frameBytes_;
  if (start > pcm.size() || bytes > pcm.size() - start) {
    return refuse(env, "process was given less PCM than it was told");
  }
  return listBlocks(env, encoder_->process(pcm.subspan(start, bytes)));
}

Napi::Value FlacEncoderBinding::finish(const Napi::CallbackInfo& info) {
  if (!isOpen()) return refuse(info.Env(), notOpen);
  return listBlocks(info.Env(), encoder_->finish());
}

Napi::Value FlacEncoderBinding::take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!encoder_ || !isBytes(info, 0) || !encoder_->take(bytesOf(info[0].As<Napi::Uint8Array>()))) {
    return refuse(env, "take needs a block that waits, and room for it");
  }
  return env.Undefined();
}

Napi::Value FlacEncoderBinding::stateText(const Napi::CallbackInfo& info) {
  if (!isOpen()) return refuse(info.Env(), notOpen);
  return Napi::String::New(info.Env(), encoder_->stateText());
}

Napi::Value FlacEncoderBinding::close(const Napi::CallbackInfo& info) {
  if (encoder_) encoder_->close();
  return info.Env().Undefined();
}

bool FlacEncoderBinding::isOpen() const { return encoder_ && encoder_->isOpen(); }

// Returns the number of blocks, or -1 when the library failed.
Napi::Value FlacEncoderBinding::listBlocks(Napi::Env env, bool isDone) {
  if (!isDone) return Napi::Number::New(env, -1);
  const std::span<const FlacEncoder::Block> blocks = encoder_->blocks();
  // Most calls complete no block: they do not look for the array.
  if (blocks.empty()) return Napi::Number::New(env, 0);
  Napi::Uint32Array rows = blocks_.Value();
  if (rows.ElementLength() < blocks.size() * blockNumbers) {
    return refuse(env, "blocks has no room for so many");
  }
  std::uint32_t* at = rows.Data();
  for (const auto& [bytes, frames] : blocks) {
    *at++ = bytes;
    *at++ = frames;
  }
  return Napi::Number::New(env, static_cast<double>(blocks.size()));
}
