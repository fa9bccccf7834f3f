// Runs a target once for each file that is named: `replay FILE...`. A broken promise aborts.

#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "input.hpp"

int main(int argc, char** argv) {
  for (int index = 1; index < argc; ++index) {
    std::ifstream file(argv[index], std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "replay: cannot read %s\n", argv[index]);
      return 2;
    }
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  return argc > 1 ? 0 : 2;
}
