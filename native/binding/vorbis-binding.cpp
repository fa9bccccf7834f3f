#include "vorbis-binding.hpp"

#include <algorithm>
#include <array>
#include <span>

using zerocast::VorbisDecoder;
using zerocast::VorbisEncoder;

namespace {

Napi::Value refuse(Napi::Env env, const char* message) {
  Napi::TypeError::New(env, message).ThrowAsJavaScriptException();
  return env.Undefined();
}

bool isBytes(const Napi::Value& value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
}

std::span<std::byte> bytesOf(const Napi::Value& value) {
  auto array = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<std::byte*>(array.Data()), array.ByteLength()};
}

double numberOf(const Napi::Object& settings, const char* name) {
  const Napi::Value value = settings.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0;
}

bool areBits(double bits) { return bits == 8 || bits == 16 || bits == 24 || bits == 32; }

// Far above any: what lies beyond is no number that the library was made for.
constexpr double maxRateHz = 1'000'000;
constexpr double maxChannels = 255;

}  // namespace

Napi::Function VorbisEncoderBinding::define(Napi::Env env) {
  return DefineClass(env, "VorbisEncoder",
                     {
                         InstanceMethod<&VorbisEncoderBinding::begin>("begin"),
                         InstanceMethod<&VorbisEncoderBinding::process>("process"),
                         InstanceMethod<&VorbisEncoderBinding::take>("take"),
                         InstanceMethod<&VorbisEncoderBinding::close>("close"),
                     });
}

Napi::Value VorbisEncoderBinding::find(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const zerocast::LibvorbisSearch search = zerocast::findLibvorbis();
  Napi::Object result = Napi::Object::New(env);
  if (search.library) {
    result.Set("version", search.library->version);
    result.Set("file", search.library->file);
  } else {
    result.Set("reason", search.reason);
  }
  return result;
}

VorbisEncoderBinding::VorbisEncoderBinding(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<VorbisEncoderBinding>(info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsObject()) {
    refuse(env, "VorbisEncoder needs settings");
    return;
  }
  const auto options = info[0].As<Napi::Object>();
  const double rateHz = numberOf(options, "rateHz");
  const double channels = numberOf(options, "channels");
  const double bits = numberOf(options, "bits");
  const Napi::Value sizes = options.Get("sizes");
  const bool areUsable = rateHz >= 1 && rateHz <= maxRateHz && channels >= 1 &&
                         channels <= maxChannels && areBits(bits);
  if (!areUsable || !sizes.IsTypedArray() ||
      sizes.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
    refuse(env, "VorbisEncoder needs rateHz, channels, bits, quality and sizes");
    return;
  }
  const zerocast::LibvorbisSearch search = zerocast::findLibvorbis();
  if (!search.library) {
    Napi::Error::New(env, search.reason).ThrowAsJavaScriptException();
    return;
  }
  const VorbisEncoder::Settings settings{
      .rateHz = static_cast<std::uint32_t>(rateHz),
      .channels = static_cast<std::uint32_t>(channels),
      .bits = static_cast<std::uint32_t>(bits),
      .quality = static_cast<float>(numberOf(options, "quality")),
  };
  frameBytes_ = (settings.bits == 24 ? 4 : settings.bits / 8) * settings.channels;
  sizes_ = Napi::Persistent(sizes.As<Napi::Uint32Array>());
  encoder_ = std::make_unique<VorbisEncoder>(*search.library, settings);
}

Napi::Value VorbisEncoderBinding::begin(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!encoder_) return refuse(env, "there is no encoder");
  const int status = encoder_->begin();
  return status == 0 ? listPackets(env) : Napi::Number::New(env, std::min(status, -1));
}

Napi::Value VorbisEncoderBinding::process(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!encoder_ || info.Length() < 3 || !isBytes(info[0]) || !info[1].IsNumber() ||
      !info[2].IsNumber()) {
    return refuse(env, "process needs PCM, the first frame and a number of frames");
  }
  const std::span<std::byte> pcm = bytesOf(info[0]);
  const std::size_t start = std::size_t{info[1].As<Napi::Number>().Uint32Value()} * frameBytes_;
  const std::size_t bytes = std::size_t{info[2].As<Napi::Number>().Uint32Value()} * frameBytes_;
  if (start > pcm.size() || bytes > pcm.size() - start) {
    return refuse(env, "process was given less PCM than it was told");
  }
  if (!encoder_->process(pcm.subspan(start, bytes))) return Napi::Number::New(env, -1);
  return listPackets(env);
}

Napi::Value VorbisEncoderBinding::take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!encoder_ || info.Length() < 1 || !isBytes(info[0]) || !encoder_->take(bytesOf(info[0]))) {
    return refuse(env, "take needs a packet that waits, and room for it");
  }
  return env.Undefined();
}

Napi::Value VorbisEncoderBinding::close(const Napi::CallbackInfo& info) {
  if (encoder_) encoder_->close();
  return info.Env().Undefined();
}

// Returns the number of packets.
Napi::Value VorbisEncoderBinding::listPackets(Napi::Env env) {
  const std::span<const std::uint32_t> packets = encoder_->packets();
  // Most calls complete no packet: they do not look for the array.
  if (packets.empty()) return Napi::Number::New(env, 0);
  Napi::Uint32Array sizes = sizes_.Value();
  if (sizes.ElementLength() < packets.size()) return refuse(env, "sizes has no room for so many");
  std::copy(packets.begin(), packets.end(), sizes.Data());
  return Napi::Number::New(env, static_cast<double>(packets.size()));
}

Napi::Function VorbisDecoderBinding::define(Napi::Env env) {
  return DefineClass(env, "VorbisDecoder",
                     {
                         InstanceMethod<&VorbisDecoderBinding::open>("open"),
                         InstanceMethod<&VorbisDecoderBinding::decode>("decode"),
                         InstanceMethod<&VorbisDecoderBinding::close>("close"),
                     });
}

VorbisDecoderBinding::VorbisDecoderBinding(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<VorbisDecoderBinding>(info) {
  const zerocast::LibvorbisSearch search = zerocast::findLibvorbis();
  if (!search.library) {
    Napi::Error::New(info.Env(), search.reason).ThrowAsJavaScriptException();
    return;
  }
  decoder_ = std::make_unique<VorbisDecoder>(*search.library);
}

Napi::Value VorbisDecoderBinding::open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!decoder_ || info.Length() < 4 || !isBytes(info[0]) || !isBytes(info[1]) ||
      !isBytes(info[2]) || !info[3].IsNumber() ||
      !areBits(info[3].As<Napi::Number>().DoubleValue())) {
    return refuse(env, "open needs three packets and the bits");
  }
  const std::array<std::span<std::byte>, 3> header = {bytesOf(info[0]), bytesOf(info[1]),
                                                      bytesOf(info[2])};
  const std::uint32_t bits = info[3].As<Napi::Number>().Uint32Value();
  return Napi::Boolean::New(env, decoder_->open(header, bits));
}

Napi::Value VorbisDecoderBinding::decode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!decoder_ || info.Length() < 1 || !isBytes(info[0])) {
    return refuse(env, "decode needs a packet");
  }
  if (!decoder_->decode(bytesOf(info[0]))) return env.Undefined();
  const std::span<const std::byte> pcm = decoder_->pcm();
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(pcm.data());
  return Napi::Buffer<std::uint8_t>::Copy(env, bytes, pcm.size());
}

Napi::Value VorbisDecoderBinding::close(const Napi::CallbackInfo& info) {
  if (decoder_) decoder_->close();
  return info.Env().Undefined();
}
