#include "vorbis-decoder.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace zerocast {

namespace {

Libvorbis::Packet packetOf(std::span<std::byte> bytes, std::int64_t number) {
  return {
      .bytes = reinterpret_cast<unsigned char*>(bytes.data()),
      .size = static_cast<long>(bytes.size()),
      .isFirst = number == 0 ? 1 : 0,
      .isLast = 0,
      .granule = -1,
      .number = number,
  };
}

}  // namespace

bool VorbisDecoder::open(std::span<const std::span<std::byte>, 3> header, std::uint32_t bits) {
  close();
  bits_ = bits;
  library_.infoInit(&info_);
  Libvorbis::Comment comment{};
  library_.commentInit(&comment);
  number_ = 0;
  bool isHeader = true;
  for (const std::span<std::byte> bytes : header) {
    Libvorbis::Packet packet = packetOf(bytes, number_++);
    isHeader = isHeader && library_.headerIn(&info_, &comment, &packet) == 0;
  }
  library_.commentClear(&comment);
  if (!isHeader || library_.synthesisInit(&state_, &info_) != 0) {
    library_.infoClear(&info_);
    return false;
  }
  library_.blockInit(&state_, &block_);
  isOpen_ = true;
  return true;
}

bool VorbisDecoder::decode(std::span<std::byte> bytes) {
  pcm_.clear();
  if (!isOpen_) return false;
  Libvorbis::Packet packet = packetOf(bytes, number_++);
  if (library_.synthesis(&block_, &packet) != 0) return false;
  if (library_.blockIn(&state_, &block_) != 0) return false;
  float** channels = nullptr;
  int frames = 0;
  while ((frames = library_.pcmOut(&state_, &channels)) > 0) {
    const auto count = static_cast<std::size_t>(frames);
    if (bits_ == 8) write<std::int8_t, 8>(channels, count);
    if (bits_ == 16) write<std::int16_t, 16>(channels, count);
    if (bits_ == 24) write<std::int32_t, 24>(channels, count);
    if (bits_ == 32) write<std::int32_t, 32>(channels, count);
    if (library_.read(&state_, frames) != 0) return false;
  }
  return true;
}

void VorbisDecoder::close() noexcept {
  if (!isOpen_) return;
  library_.blockClear(&block_);
  library_.stateClear(&state_);
  library_.infoClear(&info_);
  isOpen_ = false;
}

// Scaled by the size of the container, as it was when it was encoded.
template <typename Sample, int bits>
void VorbisDecoder::write(float** channels, std::size_t frames) {
  constexpr double scale = std::numeric_limits<Sample>::max();
  constexpr double top = static_cast<double>((std::int64_t{1} << (bits - 1)) - 1);
  const auto channelCount = static_cast<std::size_t>(info_.channels);
  std::size_t at = pcm_.size();
  pcm_.resize(at + frames * channelCount * sizeof(Sample));
  for (std::size_t frame = 0; frame < frames; ++frame) {
    for (std::size_t channel = 0; channel < channelCount; ++channel) {
      const double wanted = std::nearbyint(static_cast<double>(channels[channel][frame]) * scale);
      const auto value = static_cast<Sample>(std::clamp(wanted, -top - 1, top));
      std::memcpy(pcm_.data() + at, &value, sizeof value);
      at += sizeof value;
    }
  }
}

}  // namespace zerocast
