{
  "targets": [
    {
      "target_name": "zerocast",
      "sources": ["native/binding/addon.cpp", "native/core/slab.cpp"],
      "conditions": [
        ["OS!='win'", {
          "sources": [
            "native/binding/dsp-binding.cpp",
            "native/binding/flac-encoder-binding.cpp",
            "native/binding/vorbis-binding.cpp",
            "native/core/dsp/kernels-avx2.cpp",
            "native/core/dsp/kernels.cpp",
            "native/core/dsp/limiter.cpp",
            "native/core/dsp/plain-loops.cpp",
            "native/core/dsp/spectra.cpp",
            "native/core/flac-encoder.cpp",
            "native/core/libflac.cpp",
            "native/core/libvorbis.cpp",
            "native/core/system-library.cpp",
            "native/core/vorbis-decoder.cpp",
            "native/core/vorbis-encoder.cpp"
          ]
        }],
        ["OS=='linux'", {
          "sources": [
            "native/binding/acceptor-binding.cpp",
            "native/binding/capture-binding.cpp",
            "native/binding/completion-poll.cpp",
            "native/binding/fan-out-binding.cpp",
            "native/binding/file-copy-binding.cpp",
            "native/binding/system-binding.cpp",
            "native/core/acceptor.cpp",
            "native/core/arrival-clock.cpp",
            "native/core/audio-socket.cpp",
            "native/core/capture/alsa-capture.cpp",
            "native/core/capture/capture-pipe.cpp",
            "native/core/capture/capture-run.cpp",
            "native/core/capture/jack-capture.cpp",
            "native/core/capture/libasound.cpp",
            "native/core/capture/libjack.cpp",
            "native/core/chunk-holds.cpp",
            "native/core/completion-ledger.cpp",
            "native/core/datagram.cpp",
            "native/core/error-queue.cpp",
            "native/core/fan-out.cpp",
            "native/core/file-copy.cpp",
            "native/core/file-lock.cpp",
            "native/core/input-queue.cpp",
            "native/core/message-framing.cpp",
            "native/core/peer-timeout.cpp",
            "native/core/player-reader.cpp",
            "native/core/socket-watcher.cpp",
            "native/core/tcp-facts.cpp",
            "native/core/time-reply.cpp",
            "native/core/zero-copy-policy.cpp",
            "native/core/zero-copy-probe.cpp"
          ]
        }]
      ],
      "include_dirs": ["native/core", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "ZEROCAST_VERSION=<!(node -p \"require('./package.json').version\")"
      ],
      "cflags_cc!": ["-std=gnu++17"],
      "cflags_cc": [
        "-std=c++20",
        "-fno-exceptions",
        "-fno-trapping-math",
        "-ffp-contract=off",
        "-Wall",
        "-Wextra",
        "-Wconversion"
      ],
      "xcode_settings": {
        "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
        "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
        "OTHER_CPLUSPLUSFLAGS": ["-fno-trapping-math", "-ffp-contract=off"],
        "WARNING_CFLAGS": ["-Wall", "-Wextra", "-Wconversion"]
      },
      "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["/std:c++20"] } }
    }
  ]
}
