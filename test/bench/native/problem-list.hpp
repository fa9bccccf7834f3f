#pragma once

#include <cstdint>
#include <string>

// The first few reasons why a run measured nothing; more of them say nothing new.
class ProblemList {
 public:
  void add(const std::string& problem) {
    if (count_ == most) return;
    count_ += 1;
    text_ += (text_.empty() ? "\"" : ",\"") + problem + "\"";
  }

  void addCount(uint64_t count, const char* what) {
    if (count > 0) add(std::to_string(count) + " " + what);
  }

  bool empty() const { return count_ == 0; }
  std::string toJson() const { return "[" + text_ + "]"; }

 private:
  static constexpr int most = 10;

  int count_ = 0;
  std::string text_;
};
