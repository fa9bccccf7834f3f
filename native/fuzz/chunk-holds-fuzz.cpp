// Any order of holds, releases and hand-outs, against a model.

#include "chunk-holds.hpp"

#include <algorithm>

#include "holds-model.hpp"

using namespace zerocast;
using namespace zerocast::fuzz;

namespace {

std::uint32_t someHandle(Input& input) {
  const std::uint32_t handle = input.below(24);
  // Now and then a large one, for which the table has to grow.
  return input.below(32) == 0 ? handle * 150 : handle;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  ChunkHolds holds;
  HoldsModel model;
  while (input.hasMore()) {
    const std::uint32_t action = input.below(8);
    const std::uint32_t handle = someHandle(input);
    if (action < 4) {
      holds.hold(handle);
      model.hold(handle);
    } else if (action < 7) {
      // To release what nobody holds ends the process, as it should.
      if (!model.isHeld(handle)) continue;
      holds.release(handle);
      model.release(handle);
    } else {
      model.takeFrom(holds, input.below(8));
    }
  }
  model.takeFrom(holds, 4096);
  return 0;
}
