#include "completion-poll.hpp"

#include <new>

CompletionPoll* CompletionPoll::open(napi_env env, int fd, const Owner& owner) noexcept {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return nullptr;
  auto* const poll = new (std::nothrow) CompletionPoll(owner);
  if (poll == nullptr) return nullptr;
  poll->handle_.data = poll;
  if (uv_poll_init(loop, &poll->handle_, fd) != 0) {
    delete poll;
    return nullptr;
  }
  uv_unref(reinterpret_cast<uv_handle_t*>(&poll->handle_));
  uv_poll_start(&poll->handle_, UV_READABLE, [](uv_poll_t* handle, int, int) {
    const auto* const ready = static_cast<CompletionPoll*>(handle->data);
    ready->owner_.onReadable(ready->owner_.self);
  });
  const auto onEnd = [](napi_async_cleanup_hook_handle, void* ending) {
    const auto* const poll = static_cast<CompletionPoll*>(ending);
    poll->owner_.onEnvironmentEnds(poll->owner_.self);
  };
  napi_add_async_cleanup_hook(env, onEnd, poll, &poll->hook_);
  return poll;
}

void CompletionPoll::close() noexcept {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), [](uv_handle_t* handle) {
    auto* const closed = static_cast<CompletionPoll*>(handle->data);
    // An environment that ends has waited for this.
    if (closed->hook_ != nullptr) napi_remove_async_cleanup_hook(closed->hook_);
    delete closed;
  });
}
