#include "libflac.hpp"

#include <dlfcn.h>

#include <array>
#include <cerrno>
#include <cstring>

// glibc 2.34 gave these a new version when it moved them. The old one is there as well, and is what
// older systems have, so that an addon that was built here runs there, too.
#if defined(__GLIBC__) && defined(__x86_64__)
__asm__(".symver dlopen, dlopen@GLIBC_2.2.5");
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");
__asm__(".symver dlerror, dlerror@GLIBC_2.2.5");
#elif defined(__GLIBC__) && defined(__aarch64__)
__asm__(".symver dlopen, dlopen@GLIBC_2.17");
__asm__(".symver dlsym, dlsym@GLIBC_2.17");
__asm__(".symver dlerror, dlerror@GLIBC_2.17");
#endif

namespace zerocast {

namespace {

#ifdef __APPLE__
constexpr std::array<const char*, 3> files = {"libFLAC.14.dylib", "libFLAC.12.dylib",
                                              "libFLAC.8.dylib"};
#else
constexpr std::array<const char*, 3> files = {"libFLAC.so.14", "libFLAC.so.12", "libFLAC.so.8"};
#endif

// Takes symbols out of a library, and keeps the name of the first that it lacks.
class Symbols {
 public:
  explicit Symbols(void* library) noexcept : library_(library) {}

  template <typename Function>
  void take(Function*& target, const char* name) noexcept {
    takeIfThere(target, name);
    if (target == nullptr && missing_ == nullptr) missing_ = name;
  }

  template <typename Function>
  void takeIfThere(Function*& target, const char* name) noexcept {
    target = reinterpret_cast<Function*>(::dlsym(library_, name));
  }

  [[nodiscard]] const char* missing() const noexcept { return missing_; }

 private:
  void* library_;
  const char* missing_ = nullptr;
};

// Why the loader did not take the file; empty when there is no such file.
std::string refusalOf(const std::string& file) {
  const char* const text = ::dlerror();
  const std::string reason = text == nullptr ? file + " cannot be loaded" : text;
  const bool isAbsent = reason.find(std::strerror(ENOENT)) != std::string::npos;
  // A library that the file itself needs may be what is absent.
  return isAbsent && reason.find(file) != std::string::npos ? "" : reason;
}

LibflacSearch load(const char* file) {
  void* const handle = ::dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) return {std::nullopt, refusalOf(file)};
  Symbols symbols(handle);
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
  if (symbols.missing() != nullptr) {
    return {std::nullopt, std::string(file) + " has no " + symbols.missing()};
  }
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
