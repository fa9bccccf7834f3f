#include "system-library.hpp"

#include <dlfcn.h>

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

// Why the loader did not take the file; empty when there is no such file.
std::string refusalOf(const std::string& file) {
  const char* const text = ::dlerror();
  const std::string reason = text == nullptr ? file + " cannot be loaded" : text;
  const bool isAbsent = reason.find(std::strerror(ENOENT)) != std::string::npos;
  // A library that the file itself needs may be what is absent.
  return isAbsent && reason.find(file) != std::string::npos ? "" : reason;
}

}  // namespace

SystemLibrary::SystemLibrary(const char* file)
    : file_(file), handle_(::dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) {
  if (handle_ == nullptr) refusal_ = refusalOf(file);
}

std::string SystemLibrary::fault() const {
  if (missing_ == nullptr || !isLoaded()) return refusal_;
  return std::string(file_) + " has no " + missing_;
}

void* SystemLibrary::find(const char* name) const noexcept {
  return isLoaded() ? ::dlsym(handle_, name) : nullptr;
}

}  // namespace zerocast
