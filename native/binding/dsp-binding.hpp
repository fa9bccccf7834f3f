#pragma once

#include <node_api.h>

// The functions of native/core/dsp as an object; they are told in src/base/native/dsp-kernels.ts.
//
// Threads: the one of the environment.
napi_value defineDsp(napi_env env);
