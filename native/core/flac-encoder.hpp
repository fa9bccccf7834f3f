#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libflac.hpp"

namespace zerocast {

// One encoder of libFLAC: PCM in, whole FLAC frames out.
//
// Ownership: keeps the bytes of the frames until the next call that makes some.
// Threads: one at a time.
class FlacEncoder {
 public:
  struct Settings {
    std::uint32_t rateHz;
    std::uint32_t channels;
    // 8, 16, or 24 in four bytes.
    std::uint32_t bits;
    std::uint32_t level;
    std::uint32_t blockFrames;
  };

  // One FLAC frame, and how many frames of PCM it holds.
  struct Block {
    std::uint32_t bytes;
    std::uint32_t frames;
  };

  FlacEncoder(const Libflac& library, const Settings& settings);
  ~FlacEncoder() { close(); }
  FlacEncoder(const FlacEncoder&) = delete;
  FlacEncoder& operator=(const FlacEncoder&) = delete;

  [[nodiscard]] bool isOpen() const noexcept { return encoder_ != nullptr; }

  // Begins with frame number 0; to be called first, and after each `finish`, whose blocks stay.
  //
  // Failure: returns the status of the library, 0 when all is well.
  [[nodiscard]] int begin();

  // Takes on whole frames.
  //
  // Failure: false; `stateText` then says more.
  [[nodiscard]] bool process(std::span<const std::byte> pcm);

  // Writes what waits for a full block. Failure: as `process`.
  [[nodiscard]] bool finish();

  // What the last call wrote and nobody has taken yet, the oldest first.
  [[nodiscard]] std::span<const Block> blocks() const noexcept;

  // Copies the oldest block. Failure: false when there is none or it does not fit.
  [[nodiscard]] bool take(std::span<std::byte> target) noexcept;

  [[nodiscard]] const char* stateText() const noexcept;

  // Frees the encoder with what waits in it; the blocks stay.
  void close() noexcept;

 private:
  static Libflac::Write write;

  void forgetBlocks() noexcept;

  Libflac library_;
  Settings settings_;
  Libflac::Encoder* encoder_;
  std::vector<std::int32_t> samples_;
  std::vector<std::uint8_t> bytes_;
  std::vector<Block> blocks_;
  std::size_t takenBlocks_ = 0;
  std::size_t takenBytes_ = 0;
};

}  // namespace zerocast
