#include "vorbis-encoder.hpp"

#include <cstring>

namespace zerocast {

namespace {

// As existing players turn it back: by the size of the container, so 24 bit in four bytes lie 48 dB
// down. Source: protocol reference, 4.4.
template <typename Sample>
void spread(std::span<const std::byte> pcm, float** channels, std::size_t channelCount) {
  constexpr float scale = 1.0F / static_cast<float>(std::uint32_t{1} << (8 * sizeof(Sample) - 1));
  const std::size_t frames = pcm.size() / sizeof(Sample) / channelCount;
  const std::byte* at = pcm.data();
  for (std::size_t frame = 0; frame < frames; ++frame) {
    for (std::size_t channel = 0; channel < channelCount; ++channel) {
      Sample value;
      std::memcpy(&value, at, sizeof value);
      at += sizeof value;
      channels[channel][frame] = static_cast<float>(value) * scale;
    }
  }
}

}  // namespace

VorbisEncoder::VorbisEncoder(const Libvorbis& library, const Settings& settings)
    : library_(library), settings_(settings) {}

int VorbisEncoder::begin() {
  close();
  forgetPackets();
  library_.infoInit(&info_);
  int status = library_.encodeInitVbr(&info_, settings_.channels, settings_.rateHz, settings_.quality);
  if (status == 0) status = library_.analysisInit(&state_, &info_);
  if (status != 0) {
    library_.infoClear(&info_);
    return status;
  }
  library_.blockInit(&state_, &block_);
  isOpen_ = true;
  Libvorbis::Comment comment{};
  library_.commentInit(&comment);
  std::array<Libvorbis::Packet, 3> header{};
  status = library_.headerOut(&state_, &comment, &header[0], &header[1], &header[2]);
  if (status == 0) {
    for (const Libvorbis::Packet& packet : header) keep(packet);
  }
  library_.commentClear(&comment);
  return status;
}

bool VorbisEncoder::process(std::span<const std::byte> pcm) {
  forgetPackets();
  if (!isOpen_) return false;
  const std::uint32_t bytes = settings_.bits == 24 ? 4 : settings_.bits / 8;
  const std::size_t frames = pcm.size() / bytes / settings_.channels;
  // Nothing would be the end of the stream.
  if (frames == 0) return true;
  float** const channels = library_.analysisBuffer(&state_, static_cast<int>(frames));
  if (bytes == 1) spread<std::int8_t>(pcm, channels, settings_.channels);
  if (bytes == 2) spread<std::int16_t>(pcm, channels, settings_.channels);
  if (bytes == 4) spread<std::int32_t>(pcm, channels, settings_.channels);
  return library_.analysisWrote(&state_, static_cast<int>(frames)) == 0 && keepWhatIsComplete();
}

bool VorbisEncoder::keepWhatIsComplete() {
  int found = 0;
  while ((found = library_.blockOut(&state_, &block_)) == 1) {
    if (library_.analysis(&block_, nullptr) != 0 || library_.addBlock(&block_) != 0) return false;
    Libvorbis::Packet packet{};
    while (library_.flushPacket(&state_, &packet) == 1) keep(packet);
  }
  return found == 0;
}

std::span<const std::uint32_t> VorbisEncoder::packets() const noexcept {
  return std::span(packets_).subspan(takenPackets_);
}

bool VorbisEncoder::take(std::span<std::byte> target) noexcept {
  const std::span<const std::uint32_t> left = packets();
  if (left.empty() || left.front() > target.size()) return false;
  std::memcpy(target.data(), bytes_.data() + takenBytes_, left.front());
  takenBytes_ += left.front();
  ++takenPackets_;
  return true;
}

void VorbisEncoder::close() noexcept {
  if (!isOpen_) return;
  library_.blockClear(&block_);
  library_.stateClear(&state_);
  library_.infoClear(&info_);
  isOpen_ = false;
}

void VorbisEncoder::keep(const Libvorbis::Packet& packet) {
  const auto size = static_cast<std::size_t>(packet.size);
  bytes_.insert(bytes_.end(), packet.bytes, packet.bytes + size);
  packets_.push_back(static_cast<std::uint32_t>(size));
}

void VorbisEncoder::forgetPackets() noexcept {
  bytes_.clear();
  packets_.clear();
  takenPackets_ = 0;
  takenBytes_ = 0;
}

}  // namespace zerocast
