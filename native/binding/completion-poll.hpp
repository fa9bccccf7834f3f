#pragma once

#include <node_api.h>
#include <uv.h>

// Calls back in the event loop of an environment while a descriptor is readable. It does not keep
// the loop alive, unless it is told to.
//
// Ownership: libuv needs the handle until its close callback, so the poll lives by itself. The owner
// closes it, also when it is told that the environment ends, and does not touch it afterwards.
// Threads: that of its environment.
class CompletionPoll {
 public:
  struct Owner {
    void* self;
    void (*onReadable)(void* self);
    void (*onEnvironmentEnds)(void* self);
  };

  // `nullptr` when libuv refuses.
  [[nodiscard]] static CompletionPoll* open(napi_env env, int fd, const Owner& owner) noexcept;

  // From now on it does keep the loop alive.
  void keepLoop() noexcept { uv_ref(reinterpret_cast<uv_handle_t*>(&handle_)); }

  void close() noexcept;

 private:
  explicit CompletionPoll(const Owner& owner) noexcept : owner_(owner) {}
  ~CompletionPoll() = default;

  uv_poll_t handle_{};
  napi_async_cleanup_hook_handle hook_ = nullptr;
  Owner owner_;
};
