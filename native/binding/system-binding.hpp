#pragma once

#include <napi.h>

namespace zerocast {

// Adds what the system offers and Node does not to the exports of the addon.
//
// Threads: the one of the environment.
void defineSystemCalls(Napi::Env env, Napi::Object exports);

}  // namespace zerocast
