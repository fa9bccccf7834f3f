#pragma once

#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

// Memory like the server's ring of chunks: page-aligned slots in turn, each holding one chunk of
// 20 ms of 48000:16:2 as a complete message. A batch is one iovec per chunk, or, for comparison,
// the same number of bytes in one piece.
// Ownership: owns the memory. Threads: one.
class AudioBatch {
 public:
  enum class Layout { pieces, whole };

  // A batch must be over before its slots come round.
  static constexpr size_t mostBytes = 256 * 1024;

  AudioBatch()
      : memory_(static_cast<uint8_t*>(mmap(nullptr, slots * slotBytes, PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0))) {
    // The server's slabs are too small for huge pages, whose fragments would be longer.
    if (isValid()) madvise(memory_, slots * slotBytes, MADV_NOHUGEPAGE);
  }
  ~AudioBatch() {
    if (isValid()) munmap(memory_, slots * slotBytes);
  }
  AudioBatch(const AudioBatch&) = delete;
  AudioBatch& operator=(const AudioBatch&) = delete;

  bool isValid() const { return memory_ != MAP_FAILED; }

  // Lays out the next batch and writes it anew: like just encoded audio it is in the cache.
  // The slots come round after many ticks, when the kernel has long let go of them.
  std::vector<iovec>& next(size_t bytes, Layout layout) {
    pieces_.clear();
    const size_t pieceBytes = layout == Layout::whole ? bytes : chunkBytes;
    const size_t needed = layout == Layout::whole ? (bytes + slotBytes - 1) / slotBytes
                                                  : (bytes + chunkBytes - 1) / chunkBytes;
    if (slot_ + needed > slots) slot_ = 0;
    fill_ += 1;
    uint8_t* at = memory_ + slot_ * slotBytes;
    for (size_t left = bytes; left > 0; at += slotBytes) {
      const size_t piece = std::min(left, pieceBytes);
      std::memset(at, fill_, piece);
      pieces_.push_back({at, piece});
      left -= piece;
    }
    slot_ += needed;
    return pieces_;
  }

 private:
  static constexpr size_t slotBytes = 4096;
  static constexpr size_t chunkBytes = 3878;
  static constexpr size_t slots = 1024;

  uint8_t* const memory_;
  size_t slot_ = 0;
  uint8_t fill_ = 0;
  std::vector<iovec> pieces_;
};
