#include "libflac.hpp"

#include <array>

namespace zerocast {

namespace {

#ifdef __APPLE__
constexpr std::array<const char*, 3> files = {"libFLAC.14.dylib", "libFLAC.12.dylib",
                                              "libFLAC.8.dylib"};
#else
constexpr std::array<const char*, 3> files = {"libFLAC.so.14", "libFLAC.so.12", "libFLAC.so.8"};
#endif

LibflacSearch load(const char* file) {
  SystemLibrary symbols(file);
  Libflac library{};
  symbols.take(library.create, "FLAC__stream_encoder_new");
  symbols.take(library.destroy, "FLAC__stream_encoder_delete");
  symbols.take(library.setChannels, "FLAC__stream_encoder_set_channels");
  symbols.take(library.setBitsPerSample, "FLAC__stream_encoder_set_bits_per_sample");
  symbols.take(library.setSampleRate, "FLAC__stream_encoder_set_sample_rate");
  symbols.take(library.setCompressionLevel, "FLAC__stream_encoder_set_compression_level");
  symbols.take(library.setBlocksize, "FLAC__stream_encoder_set_blocksize");
  symbols.takeIfThere(library.setDoMd5, "FLAC__stream_encoder_set_do_md5");
  symbols.take(library.initStream, "FLAC__stream_encoder_init_stream");
  symbols.take(library.processInterleaved, "FLAC__stream_encoder_process_interleaved");
  symbols.take(library.finish, "FLAC__stream_encoder_finish");
  symbols.take(library.stateText, "FLAC__stream_encoder_get_resolved_state_string");
  const char* const* version = nullptr;
  symbols.take(version, "FLAC__VERSION_STRING");
  if (!symbols.isWhole()) return {std::nullopt, symbols.fault()};
  library.version = *version;
  library.file = file;
  return {library, ""};
}

}  // namespace

std::span<const char* const> libflacFiles() noexcept { return files; }

LibflacSearch findLibflac(std::span<const char* const> files) {
  std::string reasons;
  for (const char* const file : files) {
    LibflacSearch search = load(file);
    if (search.library) return search;
    if (search.reason.empty()) continue;
    if (!reasons.empty()) reasons += "; ";
    reasons += search.reason;
  }
  return {std::nullopt, reasons.empty() ? "it is not installed" : reasons};
}

}  // namespace zerocast
