#include "dsp-binding.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "dsp/kernels.hpp"
#include "dsp/limiter.hpp"
#include "dsp/plain-loops.hpp"
#include "dsp/spectra.hpp"

using namespace zerocast::dsp;

// `Dsp` in src/dsp/dsp.ts checks with sentences; here is checked that no call leaves its memory.

namespace {

// Takes arguments one by one; what does not fit makes the whole call fail. The plain interface
// of Node: these are called for every chunk of a stream.
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info, const char* function) noexcept
      : env_(env), function_(function) {
    // Absent ones are undefined.
    std::size_t count = maxArguments;
    napi_get_cb_info(env, info, &count, values_, nullptr, nullptr);
  }

  std::span<std::byte> bytes() { return take<std::byte>(napi_uint8_array); }
  std::span<float> floats() { return take<float>(napi_float32_array); }
  std::span<double> doubles() { return take<double>(napi_float64_array); }
  std::span<std::int32_t> integers() { return take<std::int32_t>(napi_int32_array); }

  // Empty when the argument is absent.
  std::span<std::uint32_t> someNumbers() {
    napi_valuetype type{};
    napi_typeof(env_, values_[next_], &type);
    if (type == napi_undefined) return {};
    return take<std::uint32_t>(napi_uint32_array);
  }

  double number();

  std::size_t size(std::size_t lowest, std::size_t highest);
  std::size_t channels() { return size(1, maxChannels); }

  Layout layout();

  // False, and an exception, when something does not fit.
  bool require(bool condition) {
    if (fits_ && condition) return true;
    refuse();
    return false;
  }

 private:
  static constexpr std::size_t maxArguments = 5;

  template <typename Element>
  std::span<Element> take(napi_typedarray_type wanted) {
    std::size_t length = 0;
    void* const data = memory(wanted, length);
    return {static_cast<Element*>(data), length};
  }

  void* memory(napi_typedarray_type wanted, std::size_t& length);
  void refuse() const;

  const napi_env env_;
  const char* const function_;
  napi_value values_[maxArguments];
  std::size_t next_ = 0;
  bool fits_ = true;
};

double Arguments::number() {
  double value = 0;
  if (napi_get_value_double(env_, values_[next_++], &value) != napi_ok) fits_ = false;
  return value;
}

std::size_t Arguments::size(std::size_t lowest, std::size_t highest) {
  const double value = number();
  if (value >= static_cast<double>(lowest) && value <= static_cast<double>(highest)) {
    return static_cast<std::size_t>(value);
  }
  fits_ = false;
  return lowest;
}

Layout Arguments::layout() {
  const std::size_t bits = size(8, 32);
  const std::size_t sampleBytes = size(1, 4);
  if (bits == 24) return sampleBytes == 3 ? Layout::s24Packed : Layout::s24;
  return bits == 8 ? Layout::s8 : bits == 16 ? Layout::s16 : Layout::s32;
}

void* Arguments::memory(napi_typedarray_type wanted, std::size_t& length) {
  napi_typedarray_type type{};
  void* data = nullptr;
  const napi_status status =
      napi_get_typedarray_info(env_, values_[next_++], &type, &length, &data, nullptr, nullptr);
  if (status == napi_ok && type == wanted) return data;
  fits_ = false;
  length = 0;
  return nullptr;
}

void Arguments::refuse() const {
  const std::string message = std::string(function_) + " would leave its memory";
  napi_throw_range_error(env_, nullptr, message.c_str());
}

napi_value toFloat(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "toFloat");
  const auto pcm = arguments.bytes();
  const Layout layout = arguments.layout();
  const auto out = arguments.floats();
  if (!arguments.require(pcm.size() == out.size() * bytesOf(layout))) return nullptr;
  kernels().toFloat(pcm.data(), layout, out.data(), out.size());
  return nullptr;
}

napi_value fromFloat(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "fromFloat");
  const auto samples = arguments.floats();
  const auto out = arguments.bytes();
  const Layout layout = arguments.layout();
  const auto dither = arguments.someNumbers();
  if (!arguments.require(out.size() == samples.size() * bytesOf(layout))) return nullptr;
  kernels().fromFloat(samples.data(), out.data(), layout, samples.size(),
                      dither.empty() ? nullptr : dither.data());
  return nullptr;
}

napi_value saturatingAdd(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "saturatingAdd");
  const auto target = arguments.bytes();
  const auto source = arguments.bytes();
  const Layout layout = arguments.layout();
  if (!arguments.require(source.size() == target.size() && target.size() % bytesOf(layout) == 0)) {
    return nullptr;
  }
  kernels().saturatingAdd(target.data(), source.data(), layout, target.size() / bytesOf(layout));
  return nullptr;
}

napi_value gainRamp(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "gainRamp");
  const auto samples = arguments.floats();
  const std::size_t channels = arguments.channels();
  const double from = arguments.number();
  const double to = arguments.number();
  if (!arguments.require(samples.size() % channels == 0)) return nullptr;
  kernels().gainRamp(samples.data(), channels, samples.size(), from, to);
  return nullptr;
}

napi_value mix(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "mix");
  const auto target = arguments.floats();
  const auto source = arguments.floats();
  const auto gain = static_cast<float>(arguments.number());
  if (!arguments.require(source.size() == target.size())) return nullptr;
  kernels().mix(target.data(), source.data(), target.size(), gain);
  return nullptr;
}

napi_value pick(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "pickChannels");
  const auto samples = arguments.floats();
  const std::size_t channels = arguments.channels();
  const auto picks = arguments.integers();
  const auto out = arguments.floats();
  const std::size_t frames = samples.size() / channels;
  bool fits = samples.size() % channels == 0 && out.size() == frames * picks.size();
  for (const std::int32_t pick : picks) fits = fits && pick < static_cast<std::int32_t>(channels);
  if (!arguments.require(fits)) return nullptr;
  pickChannels(samples.data(), channels, frames, picks.data(), picks.size(), out.data());
  return nullptr;
}

using Meter = void (*)(const float*, std::size_t, std::size_t, double*) noexcept;

napi_value measure(napi_env env, napi_callback_info info, const char* function, Meter meter) {
  Arguments arguments(env, info, function);
  const auto samples = arguments.floats();
  const std::size_t channels = arguments.channels();
  const auto out = arguments.doubles();
  if (!arguments.require(samples.size() % channels == 0 && out.size() == channels)) return nullptr;
  meter(samples.data(), channels, samples.size(), out.data());
  return nullptr;
}

napi_value peak(napi_env env, napi_callback_info info) {
  return measure(env, info, "peak", kernels().peak);
}

napi_value squares(napi_env env, napi_callback_info info) {
  return measure(env, info, "squares", kernels().squares);
}

napi_value truePeak(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "truePeak");
  const auto history = arguments.floats();
  const auto samples = arguments.floats();
  const std::size_t channels = arguments.channels();
  const auto out = arguments.doubles();
  if (!arguments.require(samples.size() % channels == 0 && out.size() == channels &&
                         history.size() == truePeakHistoryFrames * channels)) {
    return nullptr;
  }
  kernels().truePeak(history.data(), samples.data(), channels, samples.size(), out.data());
  return nullptr;
}

napi_value filter(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "filteredSquares");
  const auto state = arguments.doubles();
  const auto samples = arguments.floats();
  const std::size_t channels = arguments.channels();
  const auto out = arguments.doubles();
  if (!arguments.require(samples.size() % channels == 0 && out.size() == channels &&
                         state.size() == filterHeader + filterChannelNumbers * channels)) {
    return nullptr;
  }
  filteredSquares(state.data(), samples.data(), channels, samples.size(), out.data());
  return nullptr;
}

napi_value limitSamples(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "limit");
  const auto state = arguments.doubles();
  const auto samples = arguments.floats();
  if (!arguments.require(isLimiter(state) && samples.size() % limiterChannels(state) == 0)) {
    return nullptr;
  }
  limit(state, samples);
  return nullptr;
}

napi_value transform(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "realFft");
  const auto plan = arguments.floats();
  const auto samples = arguments.floats();
  const auto out = arguments.floats();
  const std::size_t size = fftSize(plan);
  if (!arguments.require(size > 0 && samples.size() == size && out.size() == size + 2)) {
    return nullptr;
  }
  realFft(plan, samples, out);
  return nullptr;
}

napi_value writeMelRows(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info, "melRows");
  const auto tables = arguments.floats();
  const auto shape = arguments.integers();
  const auto samples = arguments.floats();
  arguments.number();
  const auto out = arguments.floats();
  MelShape known;
  const bool fits = readMelShape(shape, tables, known) &&
                    out.size() == melRowCount(known, samples.size()) * known.bands;
  if (!arguments.require(fits)) return nullptr;
  melRows(known, tables, samples, out);
  return nullptr;
}

struct Named {
  const char* name;
  napi_callback function;
};

constexpr Named functions[] = {
    {"toFloat", toFloat},
    {"fromFloat", fromFloat},
    {"saturatingAdd", saturatingAdd},
    {"gainRamp", gainRamp},
    {"mix", mix},
    {"pickChannels", pick},
    {"peak", peak},
    {"squares", squares},
    {"truePeak", truePeak},
    {"filteredSquares", filter},
    {"limit", limitSamples},
    {"realFft", transform},
    {"melRows", writeMelRows},
};

}  // namespace

napi_value defineDsp(napi_env env) {
  napi_value object = nullptr;
  napi_create_object(env, &object);
  for (const auto& [name, function] : functions) {
    napi_value made = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &made);
    napi_set_named_property(env, object, name, made);
  }
  napi_value processor = nullptr;
  napi_create_string_utf8(env, kernels().name, NAPI_AUTO_LENGTH, &processor);
  napi_set_named_property(env, object, "processor", processor);
  return object;
}
