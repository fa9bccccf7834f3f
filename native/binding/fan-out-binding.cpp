#include "fan-out-binding.hpp"

#include <span>

#include "monotonic-clock.hpp"

using zerocast::AudioSocket;
using zerocast::Framing;
using zerocast::monotonicUs;
using zerocast::Order;
using zerocast::Outcome;
using zerocast::PlayerEvent;
using zerocast::Reservation;
using zerocast::ZeroCopyMode;
using zerocast::ZeroCopyRules;

namespace {

// JavaScript writes and reads these as rows of three 32-bit numbers.
constexpr std::size_t orderNumbers = 3;
static_assert(sizeof(Order) == orderNumbers * sizeof(std::int32_t));
static_assert(sizeof(Outcome) == orderNumbers * sizeof(std::int32_t));

constexpr std::size_t counterCount = 12;

ZeroCopyRules readRules(const Napi::Object& options) {
  ZeroCopyRules rules;
  rules.enabled = options.Get("zeroCopy").ToBoolean();
  rules.minBytes = options.Get("minBytes").ToNumber().Uint32Value();
  const bool always = options.Get("always").ToBoolean();
  rules.mode = always ? ZeroCopyMode::always : ZeroCopyMode::adaptive;
  return rules;
}

std::int32_t socketOf(const Napi::CallbackInfo& info) {
  return info[0].As<Napi::Number>().Int32Value();
}

Napi::Value refuse(const Napi::CallbackInfo& info, const char* message) {
  Napi::TypeError::New(info.Env(), message).ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

// The number of elements, or none when it is no array of that type.
std::size_t lengthOf(const Napi::Object& buffers, const char* name, napi_typedarray_type type) {
  const Napi::Value value = buffers.Get(name);
  if (!value.IsTypedArray()) return 0;
  const auto array = value.As<Napi::TypedArray>();
  return array.TypedArrayType() == type ? array.ElementLength() : 0;
}

// Whether calls may write and read as far as `hasRoomFor` allows.
bool fitTogether(const Napi::Object& buffers) {
  const std::size_t chunks = lengthOf(buffers, "handles", napi_uint32_array);
  const std::size_t orders = lengthOf(buffers, "orders", napi_int32_array);
  return chunks > 0 && orders > 0 && orders % orderNumbers == 0 &&
         lengthOf(buffers, "addresses", napi_float64_array) == chunks &&
         lengthOf(buffers, "sizes", napi_uint32_array) == 2 * chunks &&
         lengthOf(buffers, "outcomes", napi_int32_array) == orders &&
         lengthOf(buffers, "released", napi_uint32_array) > 0 &&
         lengthOf(buffers, "counters", napi_float64_array) == counterCount;
}

template <typename Array>
void take(Napi::Reference<Array>& reference, const Napi::Object& buffers, const char* name) {
  reference = Napi::Persistent(buffers.Get(name).As<Array>());
}

}  // namespace

Napi::Function FanOutBinding::define(Napi::Env env) {
  return DefineClass(env, "FanOut",
                     {
                         InstanceMethod<&FanOutBinding::useBuffers>("useBuffers"),
                         InstanceMethod<&FanOutBinding::add>("add"),
                         InstanceMethod<&FanOutBinding::isZeroCopy>("isZeroCopy"),
                         InstanceMethod<&FanOutBinding::remove>("remove"),
                         InstanceMethod<&FanOutBinding::deliver>("deliver"),
                         InstanceMethod<&FanOutBinding::write>("write"),
                         InstanceMethod<&FanOutBinding::readPlayer>("readPlayer"),
                         InstanceMethod<&FanOutBinding::answerPlayer>("answerPlayer"),
                         InstanceMethod<&FanOutBinding::answeredUs>("answeredUs"),
                         InstanceMethod<&FanOutBinding::askedUs>("askedUs"),
                         InstanceMethod<&FanOutBinding::takeReleased>("takeReleased"),
                         InstanceMethod<&FanOutBinding::takeCounters>("takeCounters"),
                         InstanceMethod<&FanOutBinding::sweep>("sweep"),
                         InstanceMethod<&FanOutBinding::abandon>("abandon"),
                         InstanceMethod<&FanOutBinding::close>("close"),
                     });
}

FanOutBinding::FanOutBinding(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<FanOutBinding>(info), fanOut_(readRules(info[0].ToObject())) {
  const Napi::Object options = info[0].As<Napi::Object>();
  onReleased_ = Napi::Persistent(options.Get("onReleased").As<Napi::Function>());
  onPlayer_ = Napi::Persistent(options.Get("onPlayer").As<Napi::Function>());
  const CompletionPoll::Owner owner{
      this,
      [](void* self) { static_cast<FanOutBinding*>(self)->onReadable(); },
      [](void* self) { static_cast<FanOutBinding*>(self)->closePoll(); },
  };
  poll_ = CompletionPoll::open(info.Env(), fanOut_.watchedFd(), owner);
  if (poll_ == nullptr) {
    Napi::Error::New(info.Env(), "the sockets of players cannot be watched")
        .ThrowAsJavaScriptException();
  }
}

FanOutBinding::~FanOutBinding() { closePoll(); }

Napi::Value FanOutBinding::useBuffers(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject() || !fitTogether(info[0].As<Napi::Object>())) {
    return refuse(info, "useBuffers needs arrays whose types and lengths fit together");
  }
  const Napi::Object buffers = info[0].As<Napi::Object>();
  take(buffers_.addresses, buffers, "addresses");
  take(buffers_.sizes, buffers, "sizes");
  take(buffers_.handles, buffers, "handles");
  take(buffers_.orders, buffers, "orders");
  take(buffers_.outcomes, buffers, "outcomes");
  take(buffers_.released, buffers, "released");
  take(buffers_.counters, buffers, "counters");
  return info.Env().Undefined();
}

Napi::Value FanOutBinding::add(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber() || !info[1].IsTypedArray()) {
    return refuse(info, "add needs a descriptor and the word of a reservation");
  }
  auto word = info[1].As<Napi::Int32Array>();
  const Framing framing = info[2].ToBoolean() ? Framing::webSocket : Framing::tcp;
  const std::int32_t socket = fanOut_.add(info[0].As<Napi::Number>().Int32Value(),
                                          Reservation(*word.Data()), framing);
  if (socket >= 0) {
    const auto place = static_cast<std::size_t>(socket);
    if (words_.size() <= place) words_.resize(place + 1);
    words_[place] = Napi::Persistent(word);
  }
  return Napi::Number::New(info.Env(), socket);
}

Napi::Value FanOutBinding::isZeroCopy(const Napi::CallbackInfo& info) {
  const AudioSocket* const socket = fanOut_.find(socketOf(info));
  return Napi::Boolean::New(info.Env(), socket != nullptr && socket->isZeroCopy());
}

Napi::Value FanOutBinding::remove(const Napi::CallbackInfo& info) {
  const std::int32_t socket = socketOf(info);
  if (fanOut_.find(socket) != nullptr) {
    fanOut_.remove(socket, monotonicUs());
    words_[static_cast<std::size_t>(socket)].Reset();
  }
  return Napi::Number::New(info.Env(), static_cast<double>(fanOut_.lingering()));
}

bool FanOutBinding::hasRoomFor(std::size_t chunks, std::size_t orders) const {
  if (buffers_.handles.IsEmpty()) return false;
  return chunks <= buffers_.handles.Value().ElementLength() &&
         orders <= buffers_.orders.Value().ElementLength() / orderNumbers;
}

void FanOutBinding::fillWindow(std::size_t chunks) {
  const double* const addresses = buffers_.addresses.Value().Data();
  const std::uint32_t* const sizes = buffers_.sizes.Value().Data();
  window_.clear();
  for (std::size_t index = 0; index < chunks; ++index) {
    // A user-space address has fewer bits than a double keeps exactly.
    const auto address = static_cast<std::uintptr_t>(addresses[index]);
    window_.push_back(
        {reinterpret_cast<const std::byte*>(address), sizes[2 * index], sizes[2 * index + 1]});
  }
}

Napi::Value FanOutBinding::deliver(const Napi::CallbackInfo& info) {
  const std::size_t chunks = info[0].As<Napi::Number>().Uint32Value();
  const std::size_t orders = info[1].As<Napi::Number>().Uint32Value();
  const std::int64_t sliceUs = info[2].As<Napi::Number>().Int64Value();
  if (!hasRoomFor(chunks, orders)) {
    return refuse(info, "deliver got more than the buffers of useBuffers hold");
  }
  fillWindow(chunks);
  const std::uint32_t* const handles = buffers_.handles.Value().Data();
  const auto* const first = reinterpret_cast<const Order*>(buffers_.orders.Value().Data());
  auto* const outcomes = reinterpret_cast<Outcome*>(buffers_.outcomes.Value().Data());
  const std::size_t served = fanOut_.deliver({window_, {handles, chunks}}, {first, orders},
                                             {outcomes, orders}, sliceUs);
  return Napi::Number::New(info.Env(), static_cast<double>(served));
}

Napi::Value FanOutBinding::write(const Napi::CallbackInfo& info) {
  if (!info[1].IsBuffer()) return refuse(info, "write needs a socket and a buffer");
  const auto message = info[1].As<Napi::Buffer<std::byte>>();
  const ssize_t taken = fanOut_.write(socketOf(info), {message.Data(), message.Length()});
  return Napi::Number::New(info.Env(), static_cast<double>(taken));
}

Napi::Value FanOutBinding::readPlayer(const Napi::CallbackInfo& info) {
  const int error = fanOut_.readPlayer(socketOf(info), info[1].ToBoolean());
  return Napi::Number::New(info.Env(), error);
}

Napi::Value FanOutBinding::answerPlayer(const Napi::CallbackInfo& info) {
  fanOut_.answerPlayer(socketOf(info), info[1].ToBoolean());
  return info.Env().Undefined();
}

Napi::Value FanOutBinding::answeredUs(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(fanOut_.answeredUs(socketOf(info))));
}

Napi::Value FanOutBinding::askedUs(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(fanOut_.askedUs(socketOf(info))));
}

Napi::Value FanOutBinding::takeReleased(const Napi::CallbackInfo& info) {
  if (buffers_.released.IsEmpty()) return refuse(info, "takeReleased comes after useBuffers");
  Napi::Uint32Array into = buffers_.released.Value();
  const std::size_t taken = fanOut_.takeReleased({into.Data(), into.ElementLength()});
  return Napi::Number::New(info.Env(), static_cast<double>(taken));
}

Napi::Value FanOutBinding::takeCounters(const Napi::CallbackInfo& info) {
  if (buffers_.counters.IsEmpty()) return refuse(info, "takeCounters comes after useBuffers");
  AudioSocket* const socket = fanOut_.find(socketOf(info));
  if (socket == nullptr) return Napi::Boolean::New(info.Env(), false);
  const zerocast::SendCounters& counts = socket->counters();
  // In the order of `nativeCounters` in src/base/native/native-addon.ts.
  const std::uint64_t values[counterCount] = {
      counts.zeroCopyAttempts, counts.zeroCopySends, counts.zeroCopyBytes, counts.zeroCopyCopied,
      counts.regularSends,     counts.regularBytes,  counts.partialSends,  counts.wouldBlock,
      counts.noBuffers,        counts.coordinationFallbacks,               counts.chunks,
      socket->outstanding()};
  double* const into = buffers_.counters.Value().Data();
  for (std::size_t index = 0; index < counterCount; ++index) {
    into[index] = static_cast<double>(values[index]);
  }
  socket->resetCounters();
  return Napi::Boolean::New(info.Env(), true);
}

Napi::Value FanOutBinding::sweep(const Napi::CallbackInfo& info) {
  fanOut_.sweep(monotonicUs());
  return Napi::Number::New(info.Env(), static_cast<double>(fanOut_.lingering()));
}

Napi::Value FanOutBinding::abandon(const Napi::CallbackInfo& info) {
  fanOut_.abandon();
  return info.Env().Undefined();
}

Napi::Value FanOutBinding::close(const Napi::CallbackInfo& info) {
  closePoll();
  fanOut_.close();
  return info.Env().Undefined();
}

void FanOutBinding::closePoll() noexcept {
  if (poll_ != nullptr) poll_->close();
  poll_ = nullptr;
}

void FanOutBinding::onReadable() {
  fanOut_.readReady();
  const Napi::HandleScope scope(Env());
  tellEvents();
  if (fanOut_.hasReleased()) callBack(onReleased_, {});
}

// After the pass, as a callback may end any socket, and the fan-out itself.
void FanOutBinding::tellEvents() {
  const Napi::Env env = Env();
  fanOut_.takeEvents(events_);
  for (const PlayerEvent& event : events_.list) {
    if (!fanOut_.isCurrent(event)) continue;
    const Napi::HandleScope scope(env);
    const std::span<const std::byte> bytes = events_.bytesOf(event);
    callBack(onPlayer_, {Napi::Number::New(env, event.socket),
                         Napi::Number::New(env, static_cast<double>(event.kind)),
                         Napi::Number::New(env, event.error),
                         Napi::Number::New(env, static_cast<double>(event.receivedUs)),
                         Napi::Buffer<std::byte>::Copy(env, bytes.data(), bytes.size())});
  }
}

void FanOutBinding::callBack(const Napi::FunctionReference& callback,
                             std::initializer_list<napi_value> values) {
  const Napi::Env env = Env();
  callback.MakeCallback(env.Global(), values);
  if (!env.IsExceptionPending()) return;
  // No caller stands above this call: the process ends as with any uncaught exception.
  napi_fatal_exception(env, env.GetAndClearPendingException().Value());
}
