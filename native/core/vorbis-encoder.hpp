#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libvorbis.hpp"

namespace zerocast {

// One encoder of libvorbis: PCM in, whole Vorbis packets out, as soon as they are complete.
//
// Ownership: keeps the bytes of the packets until the next call that makes some.
// Threads: one at a time.
class VorbisEncoder {
 public:
  struct Settings {
    std::uint32_t rateHz;
    std::uint32_t channels;
    // 8, 16, 24 in four bytes, or 32.
    std::uint32_t bits;
    // -0.1 to 1
    float quality;
  };

  VorbisEncoder(const Libvorbis& library, const Settings& settings);
  ~VorbisEncoder() { close(); }
  VorbisEncoder(const VorbisEncoder&) = delete;
  VorbisEncoder& operator=(const VorbisEncoder&) = delete;

  // Begins a stream; to be called first, and whenever the past is to be forgotten. What waits is the
  // three packets of the header then.
  //
  // Failure: returns the status of the library, 0 when all is well.
  [[nodiscard]] int begin();

  // Takes on whole frames.
  //
  // Failure: false, also when nothing was begun.
  [[nodiscard]] bool process(std::span<const std::byte> pcm);

  // The sizes of what the last call made and was not taken yet, the oldest first.
  [[nodiscard]] std::span<const std::uint32_t> packets() const noexcept;

  // Copies the oldest packet. Failure: false when there is none or it does not fit.
  [[nodiscard]] bool take(std::span<std::byte> target) noexcept;

  // Frees the encoder with what waits in it; the packets stay.
  void close() noexcept;

 private:
  void forgetPackets() noexcept;
  void keep(const Libvorbis::Packet& packet);
  [[nodiscard]] bool keepWhatIsComplete();

  Libvorbis library_;
  Settings settings_;
  Libvorbis::Info info_{};
  Libvorbis::State state_{};
  Libvorbis::Block block_{};
  bool isOpen_ = false;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint32_t> packets_;
  std::size_t takenPackets_ = 0;
  std::size_t takenBytes_ = 0;
};

}  // namespace zerocast
