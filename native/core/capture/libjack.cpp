#include "capture/libjack.hpp"

#include <string>

namespace zerocast {

LibrarySearch<Libjack> findLibjack(const char* file) {
  SystemLibrary symbols(file);
  Libjack library{};
  symbols.take(library.open, "jack_client_open");
  symbols.take(library.close, "jack_client_close");
  symbols.take(library.nameSize, "jack_client_name_size");
  symbols.take(library.sampleRate, "jack_get_sample_rate");
  symbols.take(library.setProcess, "jack_set_process_callback");
  symbols.take(library.setPortRegistration, "jack_set_port_registration_callback");
  symbols.take(library.onShutdown, "jack_on_shutdown");
  symbols.take(library.activate, "jack_activate");
  symbols.take(library.registerPort, "jack_port_register");
  symbols.take(library.buffer, "jack_port_get_buffer");
  symbols.take(library.portName, "jack_port_name");
  symbols.take(library.ports, "jack_get_ports");
  symbols.take(library.isConnectedTo, "jack_port_connected_to");
  symbols.take(library.connect, "jack_connect");
  symbols.take(library.free, "jack_free");
  using Writer = void(const char* text);
  void (*setErrorWriter)(Writer*) = nullptr;
  void (*setInfoWriter)(Writer*) = nullptr;
  symbols.takeIfThere(setErrorWriter, "jack_set_error_function");
  symbols.takeIfThere(setInfoWriter, "jack_set_info_function");
  if (!symbols.isWhole()) {
    const std::string fault = symbols.fault();
    return {std::nullopt, fault.empty() ? "it is not installed" : fault};
  }
  const auto keepSilent = [](const char*) {};
  if (setErrorWriter != nullptr) setErrorWriter(keepSilent);
  if (setInfoWriter != nullptr) setInfoWriter(keepSilent);
  return {library, ""};
}

}  // namespace zerocast
