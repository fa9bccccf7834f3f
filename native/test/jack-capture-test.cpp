#include "capture/jack-capture.hpp"

#ifdef __linux__

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdarg>
#include <csignal>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "tap.hpp"

using zerocast::CaptureFault;
using zerocast::CapturePipe;
using zerocast::Descriptor;
using zerocast::findLibjack;
using zerocast::JackCapture;
using zerocast::Libjack;
using zerocast::test::Run;

namespace {

// A server that does what the test says.
struct Server {
  bool isThere = true;
  std::uint32_t rateHz = 48'000;
  std::size_t freePorts = 8;
  int activateError = 0;
  int nameBytes = 64;
  std::vector<std::string> outputs = {};
  // What the ports hear, by channel.
  std::array<std::vector<float>, 8> heard = {};
  // What was asked of it.
  std::string clientName = {};
  std::string serverName = {};
  int options = 0;
  std::string pattern = {};
  std::vector<std::string> inputs = {};
  std::vector<std::string> connections = {};
  int clients = 0;
  int lists = 0;
  Libjack::Process* process = nullptr;
  Libjack::PortRegistration* portRegistration = nullptr;
  Libjack::Shutdown* shutdown = nullptr;
  void* data = nullptr;
};

Server server;

std::size_t channelOf(const Libjack::Port* port) { return reinterpret_cast<std::size_t>(port) - 1; }

Libjack::Client* openClient(const char* name, int options, int* status, ...) {
  server.clientName = name;
  server.options = options;
  if ((options & Libjack::serverName) != 0) {
    std::va_list values;
    va_start(values, status);
    server.serverName = va_arg(values, const char*);
    va_end(values);
  }
  *status = server.isThere ? 0 : 0x11;
  if (!server.isThere) return nullptr;
  ++server.clients;
  return reinterpret_cast<Libjack::Client*>(&server);
}

Libjack scriptedLibrary() {
  Libjack library{};
  library.open = openClient;
  library.close = [](Libjack::Client*) { return --server.clients, 0; };
  library.nameSize = [] { return server.nameBytes; };
  library.sampleRate = [](Libjack::Client*) { return server.rateHz; };
  library.setProcess = [](Libjack::Client*, Libjack::Process* process, void* data) {
    server.process = process;
    server.data = data;
    return 0;
  };
  library.setPortRegistration = [](Libjack::Client*, Libjack::PortRegistration* callback, void*) {
    server.portRegistration = callback;
    return 0;
  };
  library.onShutdown = [](Libjack::Client*, Libjack::Shutdown* callback, void*) {
    server.shutdown = callback;
  };
  library.activate = [](Libjack::Client*) { return server.activateError; };
  library.registerPort = [](Libjack::Client*, const char* name, const char* type,
                            unsigned long flags, unsigned long) -> Libjack::Port* {
    if (flags != Libjack::isInput || std::strcmp(type, Libjack::audio) != 0) return nullptr;
    if (server.inputs.size() == server.freePorts) return nullptr;
    server.inputs.push_back("client:" + std::string(name));
    return reinterpret_cast<Libjack::Port*>(server.inputs.size());
  };
  library.buffer = [](Libjack::Port* port, std::uint32_t) -> void* {
    auto& samples = server.heard[channelOf(port)];
    return samples.empty() ? nullptr : samples.data();
  };
  library.portName = [](const Libjack::Port* port) { return server.inputs[channelOf(port)].c_str(); };
  library.ports = [](Libjack::Client*, const char* pattern, const char*, unsigned long flags) {
    server.pattern = pattern;
    if (flags != Libjack::isOutput || server.outputs.empty()) {
      return static_cast<const char**>(nullptr);
    }
    ++server.lists;
    auto** names = new const char*[server.outputs.size() + 1]{};
    for (std::size_t at = 0; at < server.outputs.size(); ++at) names[at] = server.outputs[at].c_str();
    return names;
  };
  library.isConnectedTo = [](const Libjack::Port* port, const char* name) {
    const std::string wanted = std::string(name) + ">" + server.inputs[channelOf(port)];
    for (const auto& connection : server.connections) {
      if (connection == wanted) return 1;
    }
    return 0;
  };
  library.connect = [](Libjack::Client*, const char* from, const char* to) {
    server.connections.push_back(std::string(from) + ">" + to);
    return 0;
  };
  library.free = [](void* list) {
    --server.lists;
    delete[] static_cast<const char**>(list);
  };
  return library;
}

JackCapture::Settings settingsOf(std::uint32_t bits = 16, std::uint32_t channels = 2) {
  return {.name = "Stream",
          .server = "",
          .format = {.rateHz = 48'000, .channels = channels, .bits = bits},
          .pattern = std::nullopt,
          .skippedPorts = 0};
}

std::optional<CaptureFault> faultOf(const JackCapture::Settings& settings) {
  JackCapture capture(scriptedLibrary(), settings);
  return capture.open();
}

// A client that runs, with `body` in the place of JACK, until that returns.
template <typename Body>
std::optional<CaptureFault> play(JackCapture& capture, CapturePipe& pipe, Body body) {
  std::optional<CaptureFault> fault;
  std::thread thread([&] { fault = capture.run(pipe); });
  body();
  thread.join();
  return fault;
}

// Reads until there are so many bytes.
std::vector<std::byte> readFrom(const Descriptor& end, std::size_t bytes) {
  std::vector<std::byte> all;
  std::array<std::byte, 4096> piece;
  while (all.size() < bytes) {
    const ssize_t count = ::read(end.fd(), piece.data(), std::min(piece.size(), bytes - all.size()));
    if (count > 0) all.insert(all.end(), piece.begin(), piece.begin() + count);
    else if (count == 0) break;
    else ::usleep(500);
  }
  return all;
}

template <typename Integer>
std::vector<Integer> hear(std::uint32_t bits, const std::vector<float>& samples) {
  server = {};
  server.heard[0] = samples;
  CapturePipe pipe;
  const Descriptor end = pipe.takeReadEnd();
  JackCapture capture(scriptedLibrary(), settingsOf(bits, 1));
  if (capture.open()) return {};
  std::vector<Integer> result(samples.size());
  const auto fault = play(capture, pipe, [&] {
    server.process(static_cast<std::uint32_t>(samples.size()), server.data);
    const auto bytes = readFrom(end, samples.size() * sizeof(Integer));
    std::memcpy(result.data(), bytes.data(), bytes.size());
    pipe.stop();
  });
  if (fault) return {};
  return result;
}

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);
  Run run;

  run.it("is a client with a port per channel, and never starts a server", [](Run& t) {
    server = {};
    t.expect(!faultOf(settingsOf(16, 3)), "it is taken");
    t.expect(server.inputs == std::vector<std::string>{"client:input_0", "client:input_1", "client:input_2"},
             "ports have their names");
    t.expect(server.options == Libjack::noStartServer && server.clientName == "Stream", "as asked");
    JackCapture::Settings settings = settingsOf();
    settings.server = "other";
    t.expect(!faultOf(settings), "it is taken");
    t.expect(server.options == (Libjack::noStartServer | Libjack::serverName) && server.serverName == "other",
             "by the server of that name");
    t.expect(server.clients == 0, "all are closed");
  });

  run.it("has a name that JACK takes", [](Run& t) {
    server = {};
    JackCapture::Settings settings = settingsOf();
    for (const auto& [name, taken] : {std::pair<std::string, std::string>{"a:b", "a_b"},
                                      {"", "Zerocast"},
                                      {"\xC3\xA4\xC3\xA4\xC3\xA4", "\xC3\xA4\xC3\xA4"}}) {
      server.nameBytes = 6;
      if (name.empty()) server.nameBytes = 64;
      settings.name = name;
      t.expect(!faultOf(settings) && server.clientName == taken, "it is the name");
    }
  });

  run.it("says what is amiss with the server", [](Run& t) {
    server = {.isThere = false};
    t.expect(faultOf(settingsOf())->reason == "there is no JACK server", "it is absent");
    JackCapture::Settings settings = settingsOf();
    settings.server = "zc";
    t.expect(faultOf(settings)->reason == "there is no JACK server \"zc\"", "it is named");
    server = {.rateHz = 44'100};
    const auto rate = faultOf(settingsOf());
    t.expect(rate && rate->error == EINVAL && rate->reason.find("44100 Hz, not at 48000") != std::string::npos,
             "its rate is told");
    server = {.freePorts = 1};
    t.expect(faultOf(settingsOf())->error == ENOSPC, "it has no port");
    server = {.activateError = -1};
    t.expect(faultOf(settingsOf())->error == EIO, "it does not begin");
    t.expect(server.clients == 0, "all are closed");
  });

  run.it("scales by the widest number of each width, and clips what is too loud", [](Run& t) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> samples = {0, 1, -1, 2, -2, 0.5F, nan, 1.0F / 32'767};
    t.expect(hear<std::int16_t>(16, samples) ==
                 std::vector<std::int16_t>{0, 32'767, -32'767, 32'767, -32'767, 16'384, 0, 1},
             "16 bit");
    t.expect(hear<std::int32_t>(24, samples) ==
                 std::vector<std::int32_t>{0, 8'388'607, -8'388'607, 8'388'607, -8'388'607, 4'194'304, 0, 256},
             "24 bit in four bytes");
    const auto wide = hear<std::int32_t>(32, samples);
    t.expect(wide.size() == samples.size() && wide[1] == 2'147'483'647 && wide[2] == -2'147'483'647, "32 bit");
  });

  run.it("puts the channels into their order, and hears silence where nothing is connected", [](Run& t) {
    server = {};
    constexpr std::size_t frames = 1000;
    for (std::size_t frame = 0; frame < frames; ++frame) {
      server.heard[0].push_back(static_cast<float>(frame) / 32'767);
      server.heard[2].push_back(-static_cast<float>(frame) / 32'767);
    }
    CapturePipe pipe;
    const Descriptor end = pipe.takeReadEnd();
    JackCapture capture(scriptedLibrary(), settingsOf(16, 3));
    t.expect(!capture.open(), "it is taken");
    std::vector<std::byte> bytes;
    static_cast<void>(play(capture, pipe, [&] {
      for (int period = 0; period < 20; ++period) {
        server.process(frames, server.data);
        const auto more = readFrom(end, frames * 6);
        bytes.insert(bytes.end(), more.begin(), more.end());
      }
      pipe.stop();
    }));
    std::vector<std::int16_t> samples(bytes.size() / 2);
    std::memcpy(samples.data(), bytes.data(), bytes.size());
    bool isSame = samples.size() == 20 * frames * 3;
    for (std::size_t at = 0; isSame && at < samples.size(); ++at) {
      const auto frame = static_cast<int>(at / 3 % frames);
      isSame = samples[at] == (at % 3 == 0 ? frame : at % 3 == 1 ? 0 : -frame);
    }
    t.expect(isSame, "all samples are there");
    t.expect(capture.overruns() == 0, "none was lost");
  });

  run.it("loses whole frames and counts that when it is not read", [](Run& t) {
    server = {};
    CapturePipe pipe;
    const Descriptor end = pipe.takeReadEnd();
    JackCapture capture(scriptedLibrary(), settingsOf(16, 3));
    t.expect(!capture.open(), "it is taken");
    for (int period = 0; period < 200; ++period) server.process(960, server.data);
    t.expect(capture.overruns() > 0, "it is counted");
  });

  run.it("connects what matches, in order, also what comes later, and nothing twice", [](Run& t) {
    server = {.outputs = {"a:1", "a:2", "a:3", "a:4"}};
    JackCapture::Settings settings = settingsOf();
    settings.pattern = "^a:";
    settings.skippedPorts = 1;
    CapturePipe pipe;
    JackCapture capture(scriptedLibrary(), settings);
    t.expect(!capture.open(), "it is taken");
    std::thread stopper([&] {
      ::usleep(100'000);
      server.portRegistration(7, 0, server.data);
      server.portRegistration(7, 1, server.data);
      ::usleep(100'000);
      pipe.stop();
    });
    t.expect(!capture.run(pipe), "that is no fault");
    stopper.join();
    t.expect(server.connections == std::vector<std::string>{"a:2>client:input_0", "a:3>client:input_1"},
             "these are connected");
    t.expect(server.pattern == "^a:" && server.lists == 0, "no list is left");
  });

  run.it("refuses what is no regular expression", [](Run& t) {
    server = {};
    JackCapture::Settings settings = settingsOf();
    settings.pattern = "a(b";
    const auto fault = faultOf(settings);
    t.expect(fault && fault->error == EINVAL && fault->reason.starts_with("autoconnect is no"), "it is told");
    t.expect(server.clientName.empty(), "JACK is not asked");
    settings.pattern = "";
    t.expect(!faultOf(settings), "an empty one matches everything");
  });

  run.it("ends when the server does", [](Run& t) {
    server = {};
    CapturePipe pipe;
    JackCapture capture(scriptedLibrary(), settingsOf());
    t.expect(!capture.open(), "it is taken");
    const auto fault = play(capture, pipe, [] { server.shutdown(server.data); });
    t.expect(fault && fault->error == 0 && fault->reason.ends_with("has shut down"), "it is told");
  });

  run.it("finds the library of this machine, and no server by a name that none has", [](Run& t) {
    const auto search = findLibjack();
    t.expect(search.library.has_value(), "libjack is installed (apt-get install libjack-jackd2-0)");
    if (!search.library) return;
    JackCapture::Settings settings = settingsOf();
    settings.server = "zerocast-test-absent";
    JackCapture capture(*search.library, settings);
    const auto fault = capture.open();
    t.expect(fault && fault->error == ENOENT, "there is none");
  });

  run.it("says in words that there is no library, or another", [](Run& t) {
    t.expect(findLibjack("libjack.so.97").reason == "it is not installed", "none");
    const std::string reason = findLibjack("libm.so.6").reason;
    t.expect(reason == "libm.so.6 has no jack_client_open" || reason == "it is not installed", "other");
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
