// Any order of holding and raising through two views of one word, against a model.

#include "reservation.hpp"

#include "input.hpp"

using namespace zerocast;
using namespace zerocast::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  std::int32_t word = 0;
  const Reservation views[] = {Reservation(word), Reservation(word)};
  bool isHeld = false;
  std::int32_t writes = 0;
  while (input.hasMore()) {
    const Reservation& view = views[input.below(2)];
    switch (input.below(4)) {
      case 0: {
        const bool mayHold = !isHeld && writes == 0;
        check(view.tryHold() == mayHold, "it is held only when nobody writes");
        isHeld = isHeld || mayHold;
        break;
      }
      case 1:
        // Without effect when nobody holds it.
        view.release();
        isHeld = false;
        break;
      case 2:
        check(view.tryRaise() == !isHeld, "nobody writes while it is held");
        if (!isHeld) writes += 1;
        break;
      default:
        // Who has not raised does not lower.
        if (writes == 0) break;
        view.lower();
        writes -= 1;
    }
    check(word == (isHeld ? -1 : writes), "the word says who writes");
    check(view.isFree() == (word == 0), "and whether it is free");
  }
  return 0;
}
