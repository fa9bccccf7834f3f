#pragma once

#include <napi.h>

#include <memory>

#include "capture/capture.hpp"

namespace zerocast {

// Runs a capture in a thread of its own.
//
// Shape: an object with `descriptor`, the reading end of the pipe that the audio comes by, which is
// the caller's; `fault()`, why it has ended, as `{error, reason}`; `overruns()`; and `stop()`, a
// promise of whether the device is free then.
// Failure: throws when the system has no descriptors or threads to spare.
[[nodiscard]] Napi::Value startCapture(Napi::Env env, std::unique_ptr<Capture> capture);

// Opens a device and closes it again; a promise of `{rateHz}` or `{error, reason}`.
[[nodiscard]] Napi::Value tryCapture(Napi::Env env, std::unique_ptr<Capture> capture);

// Adds the ways to hear this machine to the exports of the addon.
void defineCaptures(Napi::Env env, Napi::Object exports);

}  // namespace zerocast
