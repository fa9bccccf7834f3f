#include "flac-encoder.hpp"

#ifndef _WIN32

#include <cstring>
#include <string>
#include <vector>

#include "tap.hpp"

using zerocast::FlacEncoder;
using zerocast::findLibflac;
using zerocast::Libflac;
using zerocast::LibflacSearch;
using zerocast::test::Run;

namespace {

constexpr FlacEncoder::Settings stereo{
    .rateHz = 48'000, .channels = 2, .bits = 16, .level = 2, .blockFrames = 1152};

// A ramp that no predictor finds too easy, as little-endian PCM.
template <typename Sample>
std::vector<std::byte> ramp(std::size_t samples) {
  std::vector<std::byte> pcm(samples * sizeof(Sample));
  for (std::size_t index = 0; index < samples; ++index) {
    const auto value = static_cast<Sample>((index * index * 7) % 97);
    std::memcpy(pcm.data() + index * sizeof value, &value, sizeof value);
  }
  return pcm;
}

// Everything that waits, and what it holds.
struct Taken {
  std::vector<std::byte> bytes;
  std::vector<std::uint32_t> frames;
};

Taken takeAll(FlacEncoder& encoder) {
  Taken taken;
  while (!encoder.blocks().empty()) {
    const FlacEncoder::Block block = encoder.blocks().front();
    const std::size_t end = taken.bytes.size();
    taken.bytes.resize(end + block.bytes);
    if (!encoder.take(std::span(taken.bytes).subspan(end))) break;
    taken.frames.push_back(block.frames);
  }
  return taken;
}

// What an encoder makes of `pcm` that comes all at once.
Taken encoded(const Libflac& library, const FlacEncoder::Settings& settings,
              const std::vector<std::byte>& pcm) {
  FlacEncoder encoder(library, settings);
  if (encoder.begin() != 0 || !encoder.process(pcm)) return {};
  Taken taken = takeAll(encoder);
  if (!encoder.finish()) return {};
  const Taken rest = takeAll(encoder);
  taken.bytes.insert(taken.bytes.end(), rest.bytes.begin(), rest.bytes.end());
  taken.frames.insert(taken.frames.end(), rest.frames.begin(), rest.frames.end());
  return taken;
}

}  // namespace

int main() {
  Run run;
  const LibflacSearch search = findLibflac();
  run.it("has a library to work with", [&](Run& t) {
    t.expect(search.library.has_value(), "libFLAC is installed (apt-get install flac)");
  });
  if (!search.library) return run.finish();
  const Libflac& library = *search.library;

  run.it("makes blocks of the wanted length and a shorter one at the end", [&](Run& t) {
    const Taken taken = encoded(library, stereo, ramp<std::int16_t>(2 * 3000));
    t.expect(taken.frames == std::vector<std::uint32_t>({1152, 1152, 696}), "of 3000 frames");
    t.expect(taken.bytes.size() > 100, "they have bytes");
    t.expect(taken.bytes[0] == std::byte{0xff} && taken.bytes[1] == std::byte{0xf8},
             "the first begins as a frame, not as a header");
  });

  run.it("begins anew after the end, with the same bytes, and keeps blocks until then", [&](Run& t) {
    FlacEncoder encoder(library, stereo);
    const std::vector<std::byte> pcm = ramp<std::int16_t>(2 * 100);
    std::vector<std::byte> first;
    for (int turn = 0; turn < 3; ++turn) {
      t.expect(encoder.begin() == 0, "it begins");
      t.expect(encoder.process(pcm) && encoder.blocks().empty(), "100 frames are no block yet");
      t.expect(encoder.finish() && encoder.blocks().size() == 1, "the end completes it");
      t.expect(encoder.begin() == 0 && encoder.blocks().size() == 1, "the block stays");
      const Taken taken = takeAll(encoder);
      if (turn == 0) first = taken.bytes;
      t.expect(taken.bytes == first, "it is numbered from 0 again");
      t.expect(encoder.finish() && encoder.blocks().empty(), "an end without input makes none");
    }
  });

  run.it("takes no notice of what stands above 24 bits", [&](Run& t) {
    FlacEncoder::Settings wide = stereo;
    wide.bits = 24;
    std::vector<std::byte> pcm = ramp<std::int32_t>(2 * 1200);
    const Taken clean = encoded(library, wide, pcm);
    for (std::size_t at = 3; at < pcm.size(); at += 4) pcm[at] = std::byte{0x5a};
    t.expect(clean.frames.size() == 2, "it is encoded");
    t.expect(encoded(library, wide, pcm).bytes == clean.bytes, "the bytes are the same");
  });

  run.it("gives a block out once, and only where it fits", [&](Run& t) {
    FlacEncoder encoder(library, stereo);
    t.expect(encoder.begin() == 0 && encoder.process(ramp<std::int16_t>(2 * 1153)), "a block");
    std::vector<std::byte> target(encoder.blocks().front().bytes);
    t.expect(!encoder.take(std::span(target).first(target.size() - 1)), "a byte is missing");
    t.expect(encoder.take(target), "it fits");
    t.expect(!encoder.take(target), "there is no other");
  });

  run.it("tells that the library refuses, and its state in words", [&](Run& t) {
    FlacEncoder::Settings odd = stereo;
    odd.channels = 9;
    FlacEncoder refused(library, odd);
    t.expect(refused.begin() != 0, "there is no FLAC of nine channels");
    t.expect(std::string(refused.stateText()) == "FLAC__STREAM_ENCODER_UNINITIALIZED", "in words");
    FlacEncoder encoder(library, stereo);
    t.expect(encoder.begin() == 0 && encoder.begin() != 0, "what is begun is not begun again");
  });

  run.it("frees what is left over, also twice and in the middle of a block", [&](Run& t) {
    FlacEncoder encoder(library, stereo);
    t.expect(encoder.begin() == 0 && encoder.process(ramp<std::int16_t>(2 * 1500)), "it works");
    encoder.close();
    encoder.close();
    t.expect(!encoder.isOpen(), "it is closed");
    t.expect(takeAll(encoder).frames.size() == 1, "the block that was made is still there");
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
