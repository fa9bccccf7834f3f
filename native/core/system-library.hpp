#pragma once

#include <optional>
#include <string>

namespace zerocast {

// A library of the system, loaded by name at run time where the system has its libraries: no part
// of it is needed to build the addon. It stays loaded until the process ends.
class SystemLibrary {
 public:
  explicit SystemLibrary(const char* file);

  [[nodiscard]] bool isLoaded() const noexcept { return handle_ != nullptr; }

  // Why it cannot be used, in words; empty when there is no such file, or nothing is amiss.
  [[nodiscard]] std::string fault() const;

  template <typename Symbol>
  void take(Symbol*& target, const char* name) noexcept {
    takeIfThere(target, name);
    if (target == nullptr && missing_ == nullptr) missing_ = name;
  }

  template <typename Symbol>
  void takeIfThere(Symbol*& target, const char* name) noexcept {
    target = reinterpret_cast<Symbol*>(find(name));
  }

  // Whether all that had to be there was.
  [[nodiscard]] bool isWhole() const noexcept { return isLoaded() && missing_ == nullptr; }

 private:
  [[nodiscard]] void* find(const char* name) const noexcept;

  const char* file_;
  void* handle_;
  std::string refusal_;
  // The first that it lacks.
  const char* missing_ = nullptr;
};

// What was taken out of a library, or in words why there is none.
template <typename Library>
struct LibrarySearch {
  std::optional<Library> library;
  std::string reason;
};

}  // namespace zerocast
