#include "bad-link.hpp"

#include <algorithm>

void BadLink::enter(std::span<const uint8_t> packet, int64_t nowUs, const LinkQuality& quality) {
  // Drawn for every packet, so that a setting does not shift what befalls later ones.
  const double draw = std::uniform_real_distribution<double>(0, 100)(random_);
  if (!quality.isUp || draw < quality.lossPercent || waiting_.size() >= maxWaiting) {
    lost_ += 1;
    return;
  }
  int64_t leavesUs = nowUs + static_cast<int64_t>(quality.delayMs * 1000);
  if (quality.kilobytesPerSecond > 0) {
    const double takesUs = static_cast<double>(packet.size()) * 1000 / quality.kilobytesPerSecond;
    freeAtUs_ = std::max(freeAtUs_, nowUs) + static_cast<int64_t>(takesUs);
    leavesUs = std::max(leavesUs, freeAtUs_);
  }
  if (!waiting_.empty()) leavesUs = std::max(leavesUs, waiting_.back().leavesUs);
  waiting_.push_back({leavesUs, {packet.begin(), packet.end()}});
}

std::optional<std::vector<uint8_t>> BadLink::leave(int64_t nowUs) {
  if (waiting_.empty() || waiting_.front().leavesUs > nowUs) return std::nullopt;
  std::vector<uint8_t> packet = std::move(waiting_.front().packet);
  waiting_.pop_front();
  return packet;
}

std::optional<int64_t> BadLink::waitUs(int64_t nowUs) const {
  if (waiting_.empty()) return std::nullopt;
  return std::max<int64_t>(0, waiting_.front().leavesUs - nowUs);
}
