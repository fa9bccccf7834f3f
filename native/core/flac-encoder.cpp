#include "flac-encoder.hpp"

#include <algorithm>
#include <cstring>

namespace zerocast {

namespace {

// Where the sign of a sample stands in its bytes, from the top.
template <typename Sample, int unusedBits>
void widen(std::span<const std::byte> pcm, std::vector<std::int32_t>& samples) {
  const std::size_t count = pcm.size() / sizeof(Sample);
  samples.resize(count);
  const std::byte* at = pcm.data();
  for (std::int32_t& sample : samples) {
    Sample value;
    std::memcpy(&value, at, sizeof value);
    at += sizeof value;
    // libFLAC 1.4 refuses samples that do not fit into their bits.
    sample = static_cast<std::int32_t>(static_cast<std::uint32_t>(value) << unusedBits) >> unusedBits;
  }
}

}  // namespace

FlacEncoder::FlacEncoder(const Libflac& library, const Settings& settings)
    : library_(library), settings_(settings), encoder_(library.create()) {}

int FlacEncoder::begin() {
  // Its answers are not asked for: what it refuses here, it refuses below.
  library_.setChannels(encoder_, settings_.channels);
  library_.setBitsPerSample(encoder_, settings_.bits);
  library_.setSampleRate(encoder_, settings_.rateHz);
  library_.setCompressionLevel(encoder_, settings_.level);
  library_.setBlocksize(encoder_, settings_.blockFrames);
  if (library_.setDoMd5 != nullptr) library_.setDoMd5(encoder_, 0);
  return library_.initStream(encoder_, write, nullptr, nullptr, nullptr, this);
}

bool FlacEncoder::process(std::span<const std::byte> pcm) {
  forgetBlocks();
  if (settings_.bits == 8) widen<std::int8_t, 0>(pcm, samples_);
  if (settings_.bits == 16) widen<std::int16_t, 0>(pcm, samples_);
  if (settings_.bits == 24) widen<std::int32_t, 8>(pcm, samples_);
  const auto frames = static_cast<std::uint32_t>(samples_.size() / settings_.channels);
  return library_.processInterleaved(encoder_, samples_.data(), frames) != 0;
}

bool FlacEncoder::finish() {
  forgetBlocks();
  return library_.finish(encoder_) != 0;
}

std::span<const FlacEncoder::Block> FlacEncoder::blocks() const noexcept {
  return std::span(blocks_).subspan(takenBlocks_);
}

bool FlacEncoder::take(std::span<std::byte> target) noexcept {
  const std::span<const Block> left = blocks();
  if (left.empty() || left.front().bytes > target.size()) return false;
  std::memcpy(target.data(), bytes_.data() + takenBytes_, left.front().bytes);
  takenBytes_ += left.front().bytes;
  ++takenBlocks_;
  return true;
}

const char* FlacEncoder::stateText() const noexcept { return library_.stateText(encoder_); }

void FlacEncoder::close() noexcept {
  if (encoder_ == nullptr) return;
  library_.destroy(encoder_);
  encoder_ = nullptr;
}

void FlacEncoder::forgetBlocks() noexcept {
  bytes_.clear();
  blocks_.clear();
  takenBlocks_ = 0;
  takenBytes_ = 0;
}

int FlacEncoder::write(const Libflac::Encoder* /*encoder*/, const std::uint8_t* bytes,
                       std::size_t byteCount, std::uint32_t samples, std::uint32_t /*frame*/,
                       void* client) {
  auto& self = *static_cast<FlacEncoder*>(client);
  // The header is made elsewhere.
  if (samples == 0) return 0;
  self.bytes_.insert(self.bytes_.end(), bytes, bytes + byteCount);
  self.blocks_.push_back({static_cast<std::uint32_t>(byteCount), samples});
  return 0;
}

}  // namespace zerocast
