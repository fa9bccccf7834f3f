#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libvorbis.hpp"

namespace zerocast {

// One decoder of libvorbis: Vorbis packets in, PCM out.
//
// Ownership: keeps what `decode` made until the next call.
// Threads: one at a time.
class VorbisDecoder {
 public:
  explicit VorbisDecoder(const Libvorbis& library) : library_(library) {}
  ~VorbisDecoder() { close(); }
  VorbisDecoder(const VorbisDecoder&) = delete;
  VorbisDecoder& operator=(const VorbisDecoder&) = delete;

  // Takes the three packets of a header; to be called first. `bits`: 8, 16, 24 in four bytes, or 32.
  //
  // Failure: false when they are no header.
  [[nodiscard]] bool open(std::span<const std::span<std::byte>, 3> header, std::uint32_t bits);

  // What one packet adds; nothing for the first one.
  //
  // Failure: false for what is no audio packet; the next good one still decodes.
  [[nodiscard]] bool decode(std::span<std::byte> packet);

  [[nodiscard]] std::span<const std::byte> pcm() const noexcept { return pcm_; }

  void close() noexcept;

 private:
  template <typename Sample, int bits>
  void write(float** channels, std::size_t frames);

  Libvorbis library_;
  Libvorbis::Info info_{};
  Libvorbis::State state_{};
  Libvorbis::Block block_{};
  bool isOpen_ = false;
  std::uint32_t bits_ = 16;
  std::int64_t number_ = 0;
  std::vector<std::byte> pcm_;
};

}  // namespace zerocast
