#pragma once

#include <cstdio>
#include <string>

// One event for the runner, which acts on it at once: it samples the server as the window opens.
class JsonLine {
 public:
  explicit JsonLine(const char* event) : text_(std::string("{\"event\":\"") + event + "\"") {}

  template <typename Number>
  void add(const char* name, Number value) {
    addRaw(name, std::to_string(value));
  }

  // `json` is taken as it is.
  void addRaw(const char* name, const std::string& json) {
    text_ += std::string(",\"") + name + "\":" + json;
  }

  void print() const {
    std::printf("%s}\n", text_.c_str());
    std::fflush(stdout);
  }

 private:
  std::string text_;
};
