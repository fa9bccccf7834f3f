#include "dsp-binding.hpp"

#include <cmath>
#include <optional>
#include <span>
#include <string>

#include "dsp/kernels.hpp"
#include "dsp/limiter.hpp"
#include "dsp/spectra.hpp"

using namespace zerocast::dsp;

// `Dsp` in src/dsp/dsp.ts checks with sentences; here is checked only that no call leaves its memory.

namespace {

// Takes arguments one after another; what does not fit makes the whole call fail.
class Arguments {
 public:
  Arguments(const Napi::CallbackInfo& info, const char* function) noexcept
      : info_(info), function_(function) {}

  std::span<std::byte> bytes() { return take<std::byte>(napi_uint8_array); }
  std::span<float> floats() { return take<float>(napi_float32_array); }
  std::span<double> doubles() { return take<double>(napi_float64_array); }
  std::span<std::int32_t> integers() { return take<std::int32_t>(napi_int32_array); }

  // Empty when the argument is absent.
  std::span<std::uint32_t> someNumbers() {
    if (next_ < info_.Length() && info_[next_].IsUndefined()) return {};
    return take<std::uint32_t>(napi_uint32_array);
  }

  double number() {
    double value = std::nan("");
    if (next_ >= info_.Length() ||
        napi_get_value_double(info_.Env(), info_[next_], &value) != napi_ok) {
      fits_ = false;
    }
    ++next_;
    return value;
  }

  std::size_t size(std::size_t lowest, std::size_t highest) {
    const double value = number();
    if (value >= static_cast<double>(lowest) && value <= static_cast<double>(highest)) {
      return static_cast<std::size_t>(value);
    }
    fits_ = false;
    return lowest;
  }

  std::size_t channels() { return size(1, maxChannels); }

  Layout layout() {
    const std::size_t bits = size(8, 32);
    const std::size_t sampleBytes = size(1, 4);
    if (bits == 24) return sampleBytes == 3 ? Layout::s24Packed : Layout::s24;
    return bits == 8 ? Layout::s8 : bits == 16 ? Layout::s16 : Layout::s32;
  }

  // False, and an exception, when something does not fit.
  bool require(bool condition) {
    if (fits_ && condition) return true;
    const std::string message = std::string(function_) + " would leave its memory";
    Napi::RangeError::New(info_.Env(), message).ThrowAsJavaScriptException();
    return false;
  }

 private:
  template <typename Element>
  std::span<Element> take(napi_typedarray_type wanted) {
    if (next_ >= info_.Length()) {
      fits_ = false;
      return {};
    }
    napi_typedarray_type type{};
    std::size_t length = 0;
    void* data = nullptr;
    const napi_status status = napi_get_typedarray_info(info_.Env(), info_[next_++], &type, &length,
                                                        &data, nullptr, nullptr);
    if (status != napi_ok || type != wanted) {
      fits_ = false;
      return {};
    }
    return {static_cast<Element*>(data), length};
  }

  const Napi::CallbackInfo& info_;
  const char* const function_;
  std::size_t next_ = 0;
  bool fits_ = true;
};

void toFloat(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "toFloat");
  const auto pcm = arguments.bytes();
  const Layout layout = arguments.layout();
  const auto out = arguments.floats();
  if (!arguments.require(pcm.size() == out.size() * bytesOf(layout))) return;
  kernels().toFloat(pcm.data(), layout, out.data(), out.size());
}

void fromFloat(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "fromFloat");
  const auto samples = arguments.floats();
  const auto out = arguments.bytes();
  const Layout layout = arguments.layout();
  const auto dither = arguments.someNumbers();
  if (!arguments.require(out.size() == samples.size() * bytesOf(layout))) return;
  kernels().fromFloat(samples.data(), out.data(), layout, samples.size(),
                      dither.empty() ? nullptr : dither.data());
}

void saturatingAdd(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saturatingAdd");
  const auto target = arguments.bytes();
  const auto source = arguments.bytes();
  const Layout layout = arguments.layout();
  if (!arguments.require(source.size() == target.size() && target.size() % bytesOf(layout) == 0)) {
    return;
  }
  kernels().saturatingAdd(target.data(), source.data(), layout, target.size() / bytesOf(layout));
}

void gainRamp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "gainRamp");
  const auto samples = arguments.floats();
  const std::size_t channels = arguments.channels();
  const double from = arguments.number();
  const double to = arguments.number();
  if (!arguments.require(samples.size() % channels == 0)) return;
  kernels().gainRamp(samples.data(), channels, samples.size(), from, to);
}

void mix(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "mix");
  const auto target = arguments.floats();
  const auto source = arguments.floats();
  const auto gain = static_cast<float>(arguments.number());
  if (!arguments.require(source.size() == target.size())) return;
  kernels().mix(target.data(), source.data(), target.size(), gain);
}

void pickChannels(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "pickChannels");
  const auto samples = arguments.floats();
  const std::size_t channels = arguments.channels();
  const auto picks = arguments.integers();
  const auto out = arguments.floats();
  const std::size_t frames = samples.size() / channels;
  bool fits = samples.size() % channels == 0 && out.size() == frames * picks.size();
  for (const std::int32_t pick : picks) fits = fits && pick < static_cast<std::int32_t>(channels);
  if (!arguments.require(fits)) return;
  kernels().pickChannels(samples.data(), channels, frames, picks.data(), picks.size(), out.data());
}

using Meter = void (*)(const float*, std::size_t, std::size_t, double*) noexcept;

void measure(const Napi::CallbackInfo& info, const char* function, Meter meter) {
  Arguments arguments(info, function);
  const auto samples = arguments.floats();
  const std::size_t channels = arguments.channels();
  const auto out = arguments.doubles();
  if (!arguments.require(samples.size() % channels == 0 && out.size() == channels)) return;
  meter(samples.data(), channels, samples.size(), out.data());
}

void peak(const Napi::CallbackInfo& info) { measure(info, "peak", kernels().peak); }

void squares(const Napi::CallbackInfo& info) { measure(info, "squares", kernels().squares); }

void truePeak(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "truePeak");
  const auto history = arguments.floats();
  const auto samples = arguments.floats();
  const std::size_t channels = arguments.channels();
  const auto out = arguments.doubles();
  if (!arguments.require(samples.size() % channels == 0 && out.size() == channels &&
                         history.size() == truePeakHistoryFrames * channels)) {
    return;
  }
  kernels().truePeak(history.data(), samples.data(), channels, samples.size(), out.data());
}

void filteredSquares(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "filteredSquares");
  const auto state = arguments.doubles();
  const auto samples = arguments.floats();
  const std::size_t channels = arguments.channels();
  const auto out = arguments.doubles();
  if (!arguments.require(samples.size() % channels == 0 && out.size() == channels &&
                         state.size() == filterHeader + filterChannelNumbers * channels)) {
    return;
  }
  kernels().filteredSquares(state.data(), samples.data(), channels, samples.size(), out.data());
}

void limitSamples(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "limit");
  const auto state = arguments.doubles();
  const auto samples = arguments.floats();
  if (!arguments.require(isLimiter(state) && samples.size() % limiterChannels(state) == 0)) return;
  limit(state, samples);
}

void transform(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "realFft");
  const auto plan = arguments.floats();
  const auto samples = arguments.floats();
  const auto out = arguments.floats();
  const std::size_t size = fftSize(plan);
  if (!arguments.require(size > 0 && samples.size() == size && out.size() == size + 2)) return;
  realFft(plan, samples, out);
}

void writeMelRows(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "melRows");
  const auto tables = arguments.floats();
  const auto shape = arguments.integers();
  const auto samples = arguments.floats();
  arguments.number();
  const auto out = arguments.floats();
  MelShape known;
  const bool fits = readMelShape(shape, tables, known) &&
                    out.size() == melRowCount(known, samples.size()) * known.bands;
  if (!arguments.require(fits)) return;
  melRows(known, tables, samples, out);
}

template <void function(const Napi::CallbackInfo&)>
void define(Napi::Object object, const char* name) {
  object.Set(name, Napi::Function::New<function>(object.Env(), name));
}

}  // namespace

Napi::Object defineDsp(Napi::Env env) {
  Napi::Object object = Napi::Object::New(env);
  define<toFloat>(object, "toFloat");
  define<fromFloat>(object, "fromFloat");
  define<saturatingAdd>(object, "saturatingAdd");
  define<gainRamp>(object, "gainRamp");
  define<mix>(object, "mix");
  define<pickChannels>(object, "pickChannels");
  define<peak>(object, "peak");
  define<squares>(object, "squares");
  define<truePeak>(object, "truePeak");
  define<filteredSquares>(object, "filteredSquares");
  define<limitSamples>(object, "limit");
  define<transform>(object, "realFft");
  define<writeMelRows>(object, "melRows");
  return object;
}
