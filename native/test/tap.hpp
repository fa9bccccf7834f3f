#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace zerocast::test {

// One run of native tests, reported as TAP: a line `ok` or `not ok` per test.
class Run {
 public:
  void it(const std::string& behaviour, const std::function<void(Run&)>& body) {
    failures_.clear();
    body(*this);
    ++count_;
    std::printf("%s %d - %s\n", failures_.empty() ? "ok" : "not ok", count_, behaviour.c_str());
    for (const std::string& failure : failures_) std::printf("  # %s\n", failure.c_str());
    if (!failures_.empty()) ++failed_;
    std::fflush(stdout);
  }

  void expect(bool condition, const char* promise) {
    if (!condition) failures_.emplace_back(promise);
  }

  // Prints the plan; the result is the exit status of the program.
  [[nodiscard]] int finish() const {
    std::printf("1..%d\n", count_);
    return failed_ == 0 ? 0 : 1;
  }

 private:
  std::vector<std::string> failures_;
  int count_ = 0;
  int failed_ = 0;
};

}  // namespace zerocast::test
