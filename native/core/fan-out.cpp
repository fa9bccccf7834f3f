#include "fan-out.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "monotonic-clock.hpp"

namespace zerocast {

namespace {

// Looking at the clock costs about as much as a hundredth of a send.
constexpr std::size_t looksEvery = 8;

[[nodiscard]] bool enableZeroCopy(int fd) noexcept {
  const int on = 1;
  return setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) == 0;
}

}  // namespace

int probeZeroCopy() noexcept {
  const Descriptor probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe.isOpen()) return errno;
  return enableZeroCopy(probe.fd()) ? 0 : errno;
}

FanOut::FanOut(ZeroCopyRules rules, SystemCalls calls)
    : rules_(rules), calls_(calls), reader_(calls) {
  pieces_.reserve(maxChunksPerSend);
}

std::int32_t FanOut::add(int fd, Reservation reservation, Framing framing) {
  Descriptor own(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!own.isOpen()) return -errno;
  ZeroCopyRules rules = rules_;
  rules.enabled = rules.enabled && enableZeroCopy(own.fd());
  const std::int32_t socket = place(AudioSocket(std::move(own), reservation, framing, rules));
  if (!rules.enabled) return socket;
  // Without a watcher completions would be lost, and the loop would spin.
  if (watcher_.add(find(socket)->fd(), static_cast<std::uint32_t>(socket))) return socket;
  const int error = errno;
  erase(socket);
  return -error;
}

void FanOut::remove(std::int32_t socket, std::int64_t nowUs) {
  AudioSocket* const closing = find(socket);
  if (closing == nullptr) return;
  reader_.end(socket);
  closing->drain(holds_, calls_);
  if (closing->outstanding() == 0) return erase(socket);
  closing->finish();
  lingering_.push_back({socket, nowUs + lingerUs});
}

std::size_t FanOut::deliver(const Batch& window, std::span<const Order> orders,
                            std::span<Outcome> outcomes, std::int64_t sliceUs) {
  for (const std::uint32_t handle : window.handles) holds_.hold(handle);
  const std::int64_t endUs = monotonicUs() + sliceUs;
  const std::size_t count = std::min(orders.size(), outcomes.size());
  std::size_t served = 0;
  while (served < count) {
    outcomes[served] = serve(window, orders[served]);
    served += 1;
    if (served % looksEvery == 0 && monotonicUs() >= endUs) break;
  }
  for (const std::uint32_t handle : window.handles) holds_.release(handle);
  if (rules_.enabled) drain();
  return served;
}

Outcome FanOut::serve(const Batch& window, const Order& order) {
  AudioSocket* const socket = find(order.socket);
  const auto first = static_cast<std::size_t>(order.first);
  const auto ordered = static_cast<std::size_t>(order.count);
  const bool isInside = order.first >= 0 && order.count > 0 && first < window.chunks.size() &&
                        ordered <= window.chunks.size() - first;
  if (socket == nullptr || !isInside) return {Status::failed, 0, EINVAL};
  const std::size_t count = std::min(ordered, maxChunksPerSend);
  const Batch batch{window.chunks.subspan(first, count), window.handles.subspan(first, count)};
  SendContext context{holds_, calls_, pieces_};
  return socket->send(batch, context);
}

ssize_t FanOut::write(std::int32_t socket, std::span<const std::byte> message) {
  const AudioSocket* const open = find(socket);
  return open == nullptr ? -EINVAL : open->write(message, calls_);
}

void FanOut::drain() {
  unread_.clear();
  const auto drainOne = [this](const SocketNews& news) {
    const auto name = static_cast<std::int32_t>(news.name);
    AudioSocket* const socket = at(name);
    if (socket == nullptr) return;
    if (socket->isZeroCopy()) socket->drain(holds_, calls_);
    if (reader_.reads(name) && hasInput(news, *socket)) unread_.push_back(name);
  };
  while (watcher_.fetch(drainOne) == SocketWatcher::maxNews) {
  }
  for (const std::int32_t name : unread_) {
    watcher_.tellAgain(at(name)->fd(), static_cast<std::uint32_t>(name));
  }
  for (std::size_t index = lingering_.size(); index > 0; --index) closeWhenDone(index - 1);
}

int FanOut::readPlayer(std::int32_t socket, bool answers) {
  const AudioSocket* const open = find(socket);
  if (open == nullptr) return -EINVAL;
  if (!watcher_.addInput(open->fd(), static_cast<std::uint32_t>(socket))) return -errno;
  reader_.begin(socket, open->fd(), answers);
  return 0;
}

void FanOut::answerPlayer(std::int32_t socket, bool answers) noexcept {
  reader_.answer(socket, answers);
}

void FanOut::readReady() {
  reader_.beginPass(readClocks());
  watcher_.fetch([this](const SocketNews& news) {
    const auto name = static_cast<std::int32_t>(news.name);
    AudioSocket* const socket = at(name);
    if (socket == nullptr) return;
    if (socket->isZeroCopy()) socket->drain(holds_, calls_);
    if (!reader_.reads(name) || !hasInput(news, *socket)) return;
    const bool hasMore = reader_.read(name, *socket, news.isEnding() || news.hasError());
    if (hasMore) watcher_.tellAgain(socket->fd(), news.name);
  });
  for (std::size_t index = lingering_.size(); index > 0; --index) closeWhenDone(index - 1);
}

// Of a socket with zero-copy an error alone is a completion.
bool FanOut::hasInput(const SocketNews& news, const AudioSocket& socket) noexcept {
  return news.hasInput() || (news.hasError() && !socket.isZeroCopy());
}

void FanOut::sweep(std::int64_t nowUs) {
  for (std::size_t index = lingering_.size(); index > 0; --index) {
    const Lingering& closed = lingering_[index - 1];
    AudioSocket* const socket = at(closed.socket);
    if (nowUs >= closed.deadlineUs) socket->abort();
    socket->drain(holds_, calls_);
    closeWhenDone(index - 1);
  }
}

void FanOut::abandon() {
  for (auto& socket : sockets_) {
    if (socket) socket->abandon(holds_);
  }
  for (std::size_t index = lingering_.size(); index > 0; --index) closeWhenDone(index - 1);
}

void FanOut::close() noexcept {
  for (std::size_t place = 0; place < sockets_.size(); ++place) {
    reader_.end(static_cast<std::int32_t>(place));
  }
  sockets_.clear();
  freePlaces_.clear();
  lingering_.clear();
  watcher_.close();
}

AudioSocket* FanOut::find(std::int32_t socket) noexcept {
  AudioSocket* const found = at(socket);
  return found != nullptr && !found->isFinished() ? found : nullptr;
}

AudioSocket* FanOut::at(std::int32_t socket) noexcept {
  const auto place = static_cast<std::size_t>(socket);
  const bool exists = socket >= 0 && place < sockets_.size() && sockets_[place].has_value();
  return exists ? &*sockets_[place] : nullptr;
}

std::int32_t FanOut::place(AudioSocket socket) {
  if (freePlaces_.empty()) {
    sockets_.emplace_back(std::move(socket));
    return static_cast<std::int32_t>(sockets_.size()) - 1;
  }
  const std::int32_t place = freePlaces_.back();
  freePlaces_.pop_back();
  sockets_[static_cast<std::size_t>(place)].emplace(std::move(socket));
  return place;
}

void FanOut::closeWhenDone(std::size_t lingeringIndex) {
  const std::int32_t socket = lingering_[lingeringIndex].socket;
  if (at(socket)->outstanding() > 0) return;
  lingering_[lingeringIndex] = lingering_.back();
  lingering_.pop_back();
  erase(socket);
}

void FanOut::erase(std::int32_t socket) {
  // Before the descriptor is closed: Node may still hold the same socket by another number, and
  // the set would go on to report it under a number that another socket has by then.
  watcher_.remove(at(socket)->fd());
  sockets_[static_cast<std::size_t>(socket)].reset();
  freePlaces_.push_back(socket);
}

}  // namespace zerocast
