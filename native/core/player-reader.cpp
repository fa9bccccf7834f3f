#include "player-reader.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "monotonic-clock.hpp"
#include "time-reply.hpp"

namespace zerocast {

namespace {

// The stamp takes 32 bytes; the rest is room for whatever else the socket is set to report.
constexpr std::size_t controlBytes = 128;

// By the wall clock; 0 when the kernel has given none.
std::int64_t stampOf(msghdr& message) noexcept {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    if (header->cmsg_len < CMSG_LEN(sizeof stamp)) continue;
    std::memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
    return std::int64_t{stamp.tv_sec} * 1'000'000 + stamp.tv_nsec / 1000;
  }
  return 0;
}

void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace

void PlayerReader::begin(std::int32_t socket, int fd, bool answers) {
  const auto place = static_cast<std::size_t>(socket);
  if (players_.size() <= place) players_.resize(place + 1);
  players_[place] = {};
  players_[place].isRead = true;
  players_[place].answers = answers;
  players_[place].serial = ++nextSerial_;
  // Without stamps the time of the read is what there is.
  const int on = 1;
  static_cast<void>(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on));
}

void PlayerReader::end(std::int32_t socket) noexcept {
  if (find(socket) != nullptr) players_[static_cast<std::size_t>(socket)] = {};
}

void PlayerReader::answer(std::int32_t socket, bool answers) noexcept {
  if (find(socket) != nullptr) players_[static_cast<std::size_t>(socket)].answers = answers;
}

bool PlayerReader::reads(std::int32_t socket) const noexcept {
  const Player* const player = find(socket);
  return player != nullptr && player->isRead;
}

std::int64_t PlayerReader::answeredUs(std::int32_t socket) const noexcept {
  const Player* const player = find(socket);
  return player == nullptr ? 0 : player->answeredUs;
}

std::int64_t PlayerReader::askedUs(std::int32_t socket) const noexcept {
  const Player* const player = find(socket);
  return player == nullptr ? 0 : player->askedUs;
}

bool PlayerReader::isCurrent(const PlayerEvent& event) const noexcept {
  const Player* const player = find(event.socket);
  return player != nullptr && player->serial == event.serial;
}

void PlayerReader::beginPass(const ClockReading& clocks) noexcept {
  clock_.look(clocks);
  passBytes_ = 0;
  pass_ += 1;
}

bool PlayerReader::read(std::int32_t socket, const AudioSocket& audio, bool isEnding) {
  Player& player = players_[static_cast<std::size_t>(socket)];
  buffer_.resize(bufferBytes);
  const int most = passBytes_ < maxBytesPerPass ? maxReadsPerPass : 1;
  for (int reads = 0; reads < most && player.isRead; ++reads) {
    std::int64_t receivedUs = 0;
    const ssize_t bytes = receive(audio.fd(), receivedUs);
    const Input input{socket, player, audio, receivedUs};
    if (bytes == 0) finish(input, PlayerEventKind::ended, 0);
    if (bytes < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      finish(input, PlayerEventKind::readFailed, errno);
    }
    if (bytes <= 0) return false;
    const auto size = static_cast<std::size_t>(bytes);
    passBytes_ += size;
    take(input, std::span(buffer_).first(size));
    // The socket is empty; what comes now is news.
    if (size < bufferBytes && !isEnding) return false;
  }
  return player.isRead;
}

void PlayerReader::takeEvents(PlayerEvents& events) {
  events.list.clear();
  events.bytes.clear();
  // What a flood has needed is not kept for good.
  if (events.bytes.capacity() > bufferBytes) events.bytes = {};
  std::swap(events, events_);
}

const PlayerReader::Player* PlayerReader::find(std::int32_t socket) const noexcept {
  const auto place = static_cast<std::size_t>(socket);
  const bool exists = socket >= 0 && place < players_.size() && players_[place].serial != 0;
  return exists ? &players_[place] : nullptr;
}

ssize_t PlayerReader::receive(int fd, std::int64_t& receivedUs) {
  iovec piece{buffer_.data(), bufferBytes};
  alignas(cmsghdr) std::byte control[controlBytes];
  msghdr message{};
  ssize_t bytes = -1;
  do {
    message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    bytes = calls_.recvmsg(fd, &message, MSG_DONTWAIT);
  } while (bytes < 0 && errno == EINTR);
  receivedUs = clock_.arrivalUs(bytes > 0 ? stampOf(message) : 0, monotonicUs());
  return bytes;
}

void PlayerReader::take(const Input& input, std::span<const std::byte> data) {
  Player& player = input.player;
  while (!data.empty() && player.isRead) {
    const auto part = player.framing.next(data);
    if (!part) break;
    if (part->isTime && player.answers && player.leftInPass != pass_) {
      append(replies_, part->bytes);
    } else {
      reply(input);
      if (player.isRead) leave(input, part->bytes);
    }
  }
  reply(input);
}

// Answers the requests that were collected, or leaves them to the caller.
void PlayerReader::reply(const Input& input) {
  if (replies_.empty()) return;
  if (!input.audio.tryHold()) {
    leave(input, replies_);
    replies_.clear();
    return;
  }
  const TimeStamps stamps{input.receivedUs, monotonicUs()};
  for (std::size_t at = 0; at < replies_.size(); at += timeMessageBytes) {
    const auto request = std::span(replies_).subspan(at).first<timeMessageBytes>();
    input.player.askedUs = turnIntoReply(request, stamps);
  }
  input.player.answeredUs = input.receivedUs;
  const ssize_t taken = input.audio.write(replies_, calls_);
  const bool isBroken = taken < 0 && taken != -EAGAIN && taken != -EWOULDBLOCK;
  const std::size_t size = taken < 0 ? 0 : static_cast<std::size_t>(taken);
  if (size < replies_.size() && !isBroken) {
    tell(input, PlayerEventKind::cut, std::span(replies_).subspan(size));
  } else {
    input.audio.release();
    if (isBroken) finish(input, PlayerEventKind::writeFailed, static_cast<int>(-taken));
  }
  replies_.clear();
}

void PlayerReader::leave(const Input& input, std::span<const std::byte> bytes) {
  input.player.leftInPass = pass_;
  PlayerEvent* const last = events_.list.empty() ? nullptr : &events_.list.back();
  const bool goesOn = last != nullptr && last->socket == input.socket &&
                      last->kind == PlayerEventKind::messages &&
                      last->receivedUs == input.receivedUs;
  if (!goesOn) return tell(input, PlayerEventKind::messages, bytes);
  append(events_.bytes, bytes);
  last->byteCount += bytes.size();
}

void PlayerReader::finish(const Input& input, PlayerEventKind kind, int error) {
  Player& player = input.player;
  if (!player.isRead) return;
  player.isRead = false;
  // The reader of the rest tells whether the end came in the middle of a message.
  const auto kept = player.framing.kept();
  if (kind != PlayerEventKind::writeFailed && !kept.empty()) leave(input, kept);
  tell(input, kind, {}, error);
}

void PlayerReader::tell(const Input& input, PlayerEventKind kind,
                        std::span<const std::byte> bytes, int error) {
  const std::uint32_t serial = input.player.serial;
  events_.list.push_back({input.socket, serial, kind, error, input.receivedUs,
                          events_.bytes.size(), bytes.size()});
  append(events_.bytes, bytes);
}

}  // namespace zerocast
