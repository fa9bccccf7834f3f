#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

// Every measured value of one kind, kept whole so that percentiles are exact.
class Samples {
 public:
  void add(int64_t value) { values_.push_back(value); }

  // {"count":…,"p50":…,"p99":…,"max":…}, or null without samples.
  std::string toJson() {
    if (values_.empty()) return "null";
    std::sort(values_.begin(), values_.end());
    char text[128];
    std::snprintf(text, sizeof text, "{\"count\":%zu,\"p50\":%lld,\"p99\":%lld,\"max\":%lld}",
                  values_.size(), static_cast<long long>(percentile(50)),
                  static_cast<long long>(percentile(99)), static_cast<long long>(values_.back()));
    return text;
  }

 private:
  // Nearest rank: a value that was really measured.
  int64_t percentile(size_t percent) const {
    return values_[(values_.size() * percent + 99) / 100 - 1];
  }

  std::vector<int64_t> values_;
};
