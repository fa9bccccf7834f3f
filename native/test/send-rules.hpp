#pragma once

#include <cstdint>
#include <vector>

#include "audio-socket.hpp"

namespace zerocast::test {

using Handles = std::vector<std::uint32_t>;

inline constexpr ZeroCopyRules plainly{};
inline constexpr ZeroCopyRules pinned{.enabled = true, .minBytes = 0, .mode = ZeroCopyMode::always};
inline constexpr ZeroCopyRules adaptive{
    .enabled = true, .minBytes = 0, .mode = ZeroCopyMode::adaptive};

}  // namespace zerocast::test
