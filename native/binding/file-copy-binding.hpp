#pragma once

#include <napi.h>

namespace zerocast {

// Adds copying within the kernel to the exports of the addon; what it does takes a thread of libuv.
//
// Ownership: the descriptors must stay open until the promise is settled.
// Threads: the one of the environment.
void defineFileCopy(Napi::Env env, Napi::Object exports);

}  // namespace zerocast
