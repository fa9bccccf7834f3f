#include "capture/libasound.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <utility>

namespace zerocast {

namespace {

constexpr std::size_t maxLineBytes = 256;
thread_local std::string lastLine;

void keepLine(const char* /*file*/, int /*line*/, const char* /*function*/, int /*error*/,
              const char* format, ...) {
  std::array<char, maxLineBytes> text{};
  std::va_list values;
  va_start(values, format);
  static_cast<void>(std::vsnprintf(text.data(), text.size(), format, values));
  va_end(values);
  // The first is nearest to the cause.
  if (lastLine.empty()) lastLine = text.data();
}

}  // namespace

LibrarySearch<Libasound> findLibasound(const char* file) {
  SystemLibrary symbols(file);
  Libasound library{};
  symbols.take(library.open, "snd_pcm_open");
  symbols.take(library.close, "snd_pcm_close");
  symbols.take(library.mallocParameters, "snd_pcm_hw_params_malloc");
  symbols.take(library.freeParameters, "snd_pcm_hw_params_free");
  symbols.take(library.anyParameters, "snd_pcm_hw_params_any");
  symbols.take(library.setAccess, "snd_pcm_hw_params_set_access");
  symbols.take(library.setFormat, "snd_pcm_hw_params_set_format");
  symbols.take(library.setChannels, "snd_pcm_hw_params_set_channels");
  symbols.take(library.setRateNear, "snd_pcm_hw_params_set_rate_near");
  symbols.take(library.setBufferTimeNear, "snd_pcm_hw_params_set_buffer_time_near");
  symbols.take(library.setPeriodTimeNear, "snd_pcm_hw_params_set_period_time_near");
  symbols.take(library.setParameters, "snd_pcm_hw_params");
  symbols.take(library.start, "snd_pcm_start");
  symbols.take(library.readInterleaved, "snd_pcm_readi");
  symbols.take(library.wait, "snd_pcm_wait");
  symbols.take(library.recover, "snd_pcm_recover");
  symbols.take(library.errorText, "snd_strerror");
  symbols.take(library.forgetConfiguration, "snd_config_update_free_global");
  symbols.take(library.version, "snd_asoundlib_version");
  int (*setErrorHandler)(Libasound::ErrorHandler*) = nullptr;
  symbols.takeIfThere(setErrorHandler, "snd_lib_error_set_handler");
  if (!symbols.isWhole()) {
    const std::string fault = symbols.fault();
    return {std::nullopt, fault.empty() ? "it is not installed" : fault};
  }
  if (setErrorHandler != nullptr) setErrorHandler(keepLine);
  return {library, ""};
}

std::string takeLibasoundLine() { return std::exchange(lastLine, ""); }

}  // namespace zerocast
