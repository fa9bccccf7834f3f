#include "libvorbis.hpp"

namespace zerocast {

namespace {

// It needs libvorbis, whose symbols are found through it.
#ifdef __APPLE__
constexpr const char* file = "libvorbisenc.2.dylib";
#else
constexpr const char* file = "libvorbisenc.so.2";
#endif

}  // namespace

LibvorbisSearch findLibvorbis() {
  SystemLibrary symbols(file);
  Libvorbis library{};
  symbols.take(library.infoInit, "vorbis_info_init");
  symbols.take(library.infoClear, "vorbis_info_clear");
  symbols.take(library.commentInit, "vorbis_comment_init");
  symbols.take(library.commentClear, "vorbis_comment_clear");
  symbols.take(library.stateClear, "vorbis_dsp_clear");
  symbols.take(library.blockInit, "vorbis_block_init");
  symbols.take(library.blockClear, "vorbis_block_clear");
  symbols.take(library.encodeInitVbr, "vorbis_encode_init_vbr");
  symbols.take(library.analysisInit, "vorbis_analysis_init");
  symbols.take(library.headerOut, "vorbis_analysis_headerout");
  symbols.take(library.analysisBuffer, "vorbis_analysis_buffer");
  symbols.take(library.analysisWrote, "vorbis_analysis_wrote");
  symbols.take(library.blockOut, "vorbis_analysis_blockout");
  symbols.take(library.analysis, "vorbis_analysis");
  symbols.take(library.addBlock, "vorbis_bitrate_addblock");
  symbols.take(library.flushPacket, "vorbis_bitrate_flushpacket");
  symbols.take(library.headerIn, "vorbis_synthesis_headerin");
  symbols.take(library.synthesisInit, "vorbis_synthesis_init");
  symbols.take(library.synthesis, "vorbis_synthesis");
  symbols.take(library.blockIn, "vorbis_synthesis_blockin");
  symbols.take(library.pcmOut, "vorbis_synthesis_pcmout");
  symbols.take(library.read, "vorbis_synthesis_read");
  const char* (*version)() = nullptr;
  symbols.take(version, "vorbis_version_string");
  if (!symbols.isWhole()) {
    const std::string fault = symbols.fault();
    return {std::nullopt, fault.empty() ? "it is not installed" : fault};
  }
  library.version = version();
  library.file = file;
  return {library, ""};
}

}  // namespace zerocast
