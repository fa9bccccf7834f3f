#include "vorbis-decoder.hpp"
#include "vorbis-encoder.hpp"

#ifndef _WIN32

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tap.hpp"

using zerocast::findLibvorbis;
using zerocast::Libvorbis;
using zerocast::LibvorbisSearch;
using zerocast::VorbisDecoder;
using zerocast::VorbisEncoder;
using zerocast::test::Run;

namespace {

constexpr VorbisEncoder::Settings stereo{
    .rateHz = 48'000, .channels = 2, .bits = 16, .quality = 0.9F};
constexpr std::size_t frames = 20'000;

using Packets = std::vector<std::vector<std::byte>>;

std::vector<std::byte> tone() {
  std::vector<std::byte> pcm(frames * 4);
  for (std::size_t sample = 0; sample < 2 * frames; ++sample) {
    const double turns = static_cast<double>(sample / 2) * 440.0 / 48'000.0;
    const auto value = static_cast<std::int16_t>(9000 * std::sin(2 * 3.141592653589793 * turns));
    std::memcpy(pcm.data() + 2 * sample, &value, sizeof value);
  }
  return pcm;
}

Packets takeAll(VorbisEncoder& encoder) {
  Packets packets;
  while (!encoder.packets().empty()) {
    packets.emplace_back(encoder.packets().front());
    if (!encoder.take(packets.back())) break;
  }
  return packets;
}

bool open(VorbisDecoder& decoder, Packets& header) {
  const std::array<std::span<std::byte>, 3> packets = {header[0], header[1], header[2]};
  return decoder.open(packets, 16);
}

}  // namespace

int main() {
  Run run;
  const LibvorbisSearch search = findLibvorbis();
  run.it("has a library to work with", [&](Run& t) {
    t.expect(search.library.has_value(), "libvorbisenc is installed (apt-get install vorbis-tools)");
  });
  if (!search.library) return run.finish();
  const Libvorbis& library = *search.library;

  run.it("knows the structs of the library by their size", [](Run& t) {
    // As vorbis/codec.h and ogg/ogg.h lay them out where pointers have 64 bits.
    t.expect(sizeof(void*) != 8 || sizeof(Libvorbis::Info) == 56, "vorbis_info");
    t.expect(sizeof(void*) != 8 || sizeof(Libvorbis::Comment) == 32, "vorbis_comment");
    t.expect(sizeof(void*) != 8 || sizeof(Libvorbis::State) == 144, "vorbis_dsp_state");
    t.expect(sizeof(void*) != 8 || sizeof(Libvorbis::Block) == 192, "vorbis_block");
    t.expect(sizeof(void*) != 8 || sizeof(Libvorbis::Packet) == 48, "ogg_packet");
  });

  run.it("begins anew with the same header and packets, which decode to the tone", [&](Run& t) {
    VorbisEncoder encoder(library, stereo);
    const std::vector<std::byte> pcm = tone();
    Packets first;
    for (int turn = 0; turn < 3; ++turn) {
      t.expect(encoder.begin() == 0, "it begins");
      Packets header = takeAll(encoder);
      t.expect(header.size() == 3, "with a header");
      t.expect(encoder.process(pcm), "it takes audio");
      Packets packets = takeAll(encoder);
      if (turn == 0) first = packets;
      t.expect(packets.size() > 10 && packets == first, "the packets are the same");
      VorbisDecoder decoder(library);
      t.expect(open(decoder, header), "the header is one");
      std::vector<std::byte> heard;
      for (std::vector<std::byte>& packet : packets) {
        t.expect(decoder.decode(packet), "a packet decodes");
        heard.insert(heard.end(), decoder.pcm().begin(), decoder.pcm().end());
      }
      t.expect(heard.size() > 10'000 * 4 && heard.size() <= pcm.size(), "to most of what came in");
      std::int16_t fed = 0;
      std::int16_t played = 0;
      std::memcpy(&fed, pcm.data() + 4 * 5000, sizeof fed);
      std::memcpy(&played, heard.data() + 4 * 5000, sizeof played);
      t.expect(std::abs(fed - played) < 500, "in its place, as loud");
    }
  });

  run.it("refuses what the library has no setup for, and audio before it has begun", [&](Run& t) {
    VorbisEncoder::Settings fast = stereo;
    fast.rateHz = 900'000;
    VorbisEncoder refused(library, fast);
    t.expect(refused.begin() != 0 && refused.packets().empty(), "there is no such rate");
    t.expect(!refused.process(tone()), "nothing was begun");
    VorbisEncoder encoder(library, stereo);
    t.expect(!encoder.process(tone()), "nor here");
  });

  run.it("gives a packet out once, and only where it fits", [&](Run& t) {
    VorbisEncoder encoder(library, stereo);
    t.expect(encoder.begin() == 0, "a header");
    std::vector<std::byte> target(encoder.packets().front());
    t.expect(!encoder.take(std::span(target).first(target.size() - 1)), "a byte is missing");
    t.expect(encoder.take(target), "it fits");
    t.expect(encoder.packets().size() == 2, "two are left");
    encoder.close();
    encoder.close();
    t.expect(takeAll(encoder).size() == 2, "what was made is still there");
  });

  run.it("decodes on behind a damaged packet, and refuses a header that is none", [&](Run& t) {
    VorbisEncoder encoder(library, stereo);
    t.expect(encoder.begin() == 0, "it begins");
    Packets header = takeAll(encoder);
    t.expect(encoder.process(tone()), "it takes audio");
    Packets packets = takeAll(encoder);
    VorbisDecoder decoder(library);
    t.expect(!decoder.decode(packets[0]), "there was no header");
    t.expect(open(decoder, header), "a header");
    std::vector<std::byte> noAudio = header[0];
    t.expect(decoder.decode(packets[0]) && !decoder.decode(noAudio), "that is no audio");
    t.expect(decoder.decode(packets[1]) && decoder.decode(packets[2]), "the next ones are");
    t.expect(!decoder.pcm().empty(), "and are heard");
    Packets swapped = {header[2], header[1], header[0]};
    t.expect(!open(decoder, swapped) && !decoder.decode(packets[0]), "these are in no order");
    header[2].resize(10);
    t.expect(!open(decoder, header), "this one is cut off");
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
