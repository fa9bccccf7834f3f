#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

namespace zerocast::test {

// As src/dsp/fft-plan.ts makes it.
inline std::vector<float> newFftPlan(std::size_t size) {
  std::vector<float> plan(1 + 4 * size);
  plan[0] = static_cast<float>(size);
  for (std::size_t index = 0; index < size; ++index) {
    const double angle =
        -2 * std::numbers::pi * static_cast<double>(index) / static_cast<double>(size);
    plan[1 + 2 * index] = static_cast<float>(std::cos(angle));
    plan[2 + 2 * index] = static_cast<float>(std::sin(angle));
  }
  return plan;
}

struct MelTables {
  std::vector<std::int32_t> shape;
  std::vector<float> tables;
};

// As src/dsp/mel-plan.ts makes it, of bands that are all one bin wide, and a window that weighs
// nothing.
inline MelTables newMelTables(std::size_t window, std::size_t hop, std::size_t bands,
                              bool isCentred = false) {
  MelTables made;
  made.shape = {static_cast<std::int32_t>(window), static_cast<std::int32_t>(hop),
                static_cast<std::int32_t>(bands), 0, isCentred ? 1 : 0};
  made.tables = newFftPlan(window);
  made.tables.insert(made.tables.end(), window, 1.0F);
  made.tables.insert(made.tables.end(), window + 2, 0.0F);
  for (std::size_t band = 0; band < bands; ++band) {
    made.shape.push_back(static_cast<std::int32_t>(band % (window / 2 + 1)));
    made.shape.push_back(1);
    made.tables.push_back(1.0F);
  }
  return made;
}

}  // namespace zerocast::test
