#pragma once

#include <napi.h>

// The functions of native/core/dsp as an object; they are told in src/base/native/dsp-kernels.ts.
//
// Threads: the one of the environment.
Napi::Object defineDsp(Napi::Env env);
