#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "chunk-holds.hpp"
#include "input.hpp"

namespace zerocast::fuzz {

// `ChunkHolds` as it is meant, done the slow way.
class HoldsModel {
 public:
  void hold(std::uint32_t handle) {
    holds_[handle] += 1;
    released_.erase(handle);
  }

  void release(std::uint32_t handle) {
    check(isHeld(handle), "only what is held is released");
    if (--holds_[handle] == 0) released_.insert(handle);
  }

  [[nodiscard]] bool isHeld(std::uint32_t handle) const {
    const auto found = holds_.find(handle);
    return found != holds_.end() && found->second > 0;
  }

  // Takes some from the real one and compares.
  template <typename Holds>
  void takeFrom(Holds& holds, std::size_t most) {
    std::vector<std::uint32_t> taken(most);
    taken.resize(holds.takeReleased(taken));
    check(taken.size() == std::min(most, released_.size()), "all that fit are handed out");
    for (const std::uint32_t handle : taken) {
      check(released_.erase(handle) == 1, "what is handed out is free, and once only");
    }
    check(holds.hasReleased() == !released_.empty(), "it knows whether there are more");
  }

  [[nodiscard]] bool holdsNothing() const {
    for (const auto& [handle, count] : holds_) {
      if (count > 0) return false;
    }
    return true;
  }

 private:
  std::map<std::uint32_t, std::uint32_t> holds_;
  std::set<std::uint32_t> released_;
};

}  // namespace zerocast::fuzz
