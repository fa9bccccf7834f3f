// The baseline: one plain send per client and so many chunks in C, and nothing else a server must
// do. With one chunk per send it is the simplest server, with several the least that a server
// needs which coalesces.
//
//   send-loop PORT CHUNK_US PAYLOAD_BYTES CODEC_HEADER CHUNKS_PER_SEND
//
// It does the same job towards a client as the real server (ServerSettings, CodecHeader, complete
// WireChunk messages of a fixed size, Time replies), so that the same load client measures both.
// CODEC_HEADER is the body of that message in hexadecimal digits. SIGTERM ends it with one JSON
// line.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wire.h"

enum {
  chunkHeadersBytes = baseHeaderBytes + wireChunkHeaderBytes,
  // More than any codec of the server needs.
  maxCodecHeaderBytes = 256,
  // Enough for a Hello; every other message of the load client is shorter.
  inputBytes = 2048,
  maxClients = 65536,
  maxEvents = 256,
  // A second of the usual chunks.
  maxChunksPerSend = 50,
};

typedef struct Client {
  int fd;
  bool streaming;
  uint32_t inputUsed;
  // The end of a send that the kernel took only partly; chunks are skipped until it is out.
  uint32_t restBytes;
  uint8_t input[inputBytes];
  uint8_t rest[];
} Client;

// Indexed by descriptor; nobody lives above `highestFd`.
static Client *clients[maxClients];
static int highestFd;
static int64_t chunkUs;
static uint32_t payloadBytes;
static uint8_t codecHeader[maxCodecHeaderBytes];
static uint32_t codecHeaderBytes;
// The newest chunks as complete messages, which every client gets: what one send carries.
static uint8_t *ring;
static size_t chunkBytes;
static uint32_t chunksPerSend;
static uint64_t published;
static uint64_t sends, partialSends, skippedChunks;
static volatile sig_atomic_t stopping;

static void stop(int signalNumber) {
  (void)signalNumber;
  stopping = 1;
}

static _Noreturn void die(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void closeClient(Client *client) {
  clients[client->fd] = NULL;
  close(client->fd);
  free(client);
}

static void acceptClients(int listener, int epoll) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED) return;
      die("accept4");
    }
    if (fd >= maxClients) {
      close(fd);
      continue;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Client *client = calloc(1, sizeof *client + chunksPerSend * chunkBytes);
    if (client == NULL) die("calloc");
    client->fd = fd;
    clients[fd] = client;
    if (fd > highestFd) highestFd = fd;
    watch(epoll, fd);
  }
}

// Replies are some hundred bytes into an almost empty socket buffer: a refusal means a dead peer.
static bool reply(Client *client, BaseHeader header, const uint8_t *body) {
  uint8_t message[512];
  memcpy(message + baseHeaderBytes, body, header.bodyBytes);
  header.sentUs = monotonicUs();
  putBaseHeader(message, &header);
  size_t bytes = baseHeaderBytes + header.bodyBytes;
  return send(client->fd, message, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static bool greet(Client *client, uint16_t helloId, int64_t receivedUs) {
  static const char settings[] = "{\"bufferMs\":1000,\"latency\":0,\"muted\":false,\"volume\":100}";
  uint8_t body[128];
  uint32_t length = sizeof settings - 1;
  putU32(body, length);
  memcpy(body + 4, settings, length);
  client->streaming = true;
  return reply(client,
               (BaseHeader){.type = typeServerSettings,
                            .refersTo = helloId,
                            .receivedUs = receivedUs,
                            .bodyBytes = 4 + length},
               body) &&
         reply(client,
               (BaseHeader){.type = typeCodecHeader,
                            .receivedUs = receivedUs,
                            .bodyBytes = codecHeaderBytes},
               codecHeader);
}

static bool answer(Client *client, const BaseHeader *request, int64_t receivedUs) {
  if (request->type == typeHello) return greet(client, request->id, receivedUs);
  if (request->type != typeTime) return true;
  uint8_t body[timeBodyBytes];
  putTimeUs(body, receivedUs - request->sentUs);
  return reply(client,
               (BaseHeader){.type = typeTime,
                            .id = request->id,
                            .refersTo = request->id,
                            .receivedUs = receivedUs,
                            .bodyBytes = timeBodyBytes},
               body);
}

static bool readClient(Client *client) {
  ssize_t got =
      recv(client->fd, client->input + client->inputUsed, inputBytes - client->inputUsed, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  int64_t receivedUs = monotonicUs();
  client->inputUsed += (uint32_t)got;
  uint32_t at = 0;
  while (client->inputUsed - at >= baseHeaderBytes) {
    BaseHeader header = getBaseHeader(client->input + at);
    if (header.bodyBytes > inputBytes - baseHeaderBytes) return false;
    if (client->inputUsed - at < baseHeaderBytes + header.bodyBytes) break;
    if (!answer(client, &header, receivedUs)) return false;
    at += baseHeaderBytes + header.bodyBytes;
  }
  memmove(client->input, client->input + at, client->inputUsed - at);
  client->inputUsed -= at;
  return true;
}

static bool sendRest(Client *client) {
  ssize_t sent = send(client->fd, client->rest, client->restBytes, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN;
  client->restBytes -= (uint32_t)sent;
  memmove(client->rest, client->rest + sent, client->restBytes);
  return true;
}

// Copies what lies behind the first `skipped` bytes of the pieces.
static void keepRest(Client *client, const struct iovec *pieces, size_t skipped) {
  client->restBytes = 0;
  for (int i = 0; i < 2; i++) {
    size_t here = skipped < pieces[i].iov_len ? skipped : pieces[i].iov_len;
    size_t bytes = pieces[i].iov_len - here;
    memcpy(client->rest + client->restBytes, (uint8_t *)pieces[i].iov_base + here, bytes);
    client->restBytes += (uint32_t)bytes;
    skipped -= here;
  }
}

static bool sendChunks(Client *client) {
  if (client->restBytes > 0) {
    if (!sendRest(client)) return false;
    if (client->restBytes > 0) {
      skippedChunks += chunksPerSend;
      return true;
    }
  }
  // The oldest lies behind the newest.
  size_t wholeBytes = chunksPerSend * chunkBytes;
  size_t oldestAt = published % chunksPerSend * chunkBytes;
  struct iovec pieces[2] = {{ring + oldestAt, wholeBytes - oldestAt}, {ring, oldestAt}};
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = oldestAt > 0 ? 2 : 1};
  ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL);
  sends += 1;
  if (sent == (ssize_t)wholeBytes) return true;
  if (sent < 0) {
    if (errno != EAGAIN) return false;
    skippedChunks += chunksPerSend;
    return true;
  }
  partialSends += 1;
  keepRest(client, pieces, (size_t)sent);
  return true;
}

static void writeChunk(uint8_t *chunk, int64_t timestampUs) {
  BaseHeader header = {.type = typeWireChunk,
                       .sentUs = monotonicUs(),
                       .bodyBytes = wireChunkHeaderBytes + payloadBytes};
  putBaseHeader(chunk, &header);
  putTimeUs(chunk + baseHeaderBytes, timestampUs);
  putU32(chunk + baseHeaderBytes + 8, payloadBytes);
  // The payload differs from chunk to chunk, so that the load client would see a mixed-up one.
  putTimeUs(chunk + baseHeaderBytes + wireChunkHeaderBytes, timestampUs);
}

// The clients are spread over the chunks of a send by their descriptors.
static void publish(int64_t timestampUs) {
  writeChunk(ring + published % chunksPerSend * chunkBytes, timestampUs);
  published += 1;
  if (published < chunksPerSend) return;
  for (int fd = (int)(published % chunksPerSend); fd <= highestFd; fd += (int)chunksPerSend) {
    Client *client = clients[fd];
    if (client != NULL && client->streaming && !sendChunks(client)) closeClient(client);
  }
}

static int listenOn(uint16_t port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (listener < 0) die("socket");
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) die("bind");
  if (listen(listener, SOMAXCONN) != 0) die("listen");
  return listener;
}

static int startTimer(void) {
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  struct timespec period = {.tv_sec = chunkUs / 1000000, .tv_nsec = chunkUs % 1000000 * 1000};
  struct itimerspec every = {.it_interval = period, .it_value = period};
  if (timer < 0 || timerfd_settime(timer, 0, &every, NULL) != 0) die("timerfd");
  return timer;
}

static void printReport(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf(
      "{\"sends\":%llu,\"partialSends\":%llu,\"skippedChunks\":%llu,"
      "\"userUs\":%lld,\"systemUs\":%lld}\n",
      (unsigned long long)sends, (unsigned long long)partialSends,
      (unsigned long long)skippedChunks, usage.ru_utime.tv_sec * 1000000LL + usage.ru_utime.tv_usec,
      usage.ru_stime.tv_sec * 1000000LL + usage.ru_stime.tv_usec);
}

static bool parseNumber(const char *text, long max, long *value) {
  char *end = NULL;
  *value = strtol(text, &end, 10);
  return end != text && *end == '\0' && *value > 0 && *value <= max;
}

static bool parseHex(const char *text) {
  size_t digits = strlen(text);
  if (digits == 0 || digits % 2 != 0 || digits > 2 * maxCodecHeaderBytes) return false;
  for (size_t at = 0; at < digits; at += 2) {
    int used = 0;
    if (sscanf(text + at, "%2hhx%n", &codecHeader[at / 2], &used) != 1 || used != 2) return false;
  }
  codecHeaderBytes = (uint32_t)(digits / 2);
  return true;
}

static bool parseArguments(int argc, char **argv, long *port) {
  long us = 0;
  long bytes = 0;
  long chunks = 0;
  if (argc != 6 || !parseNumber(argv[1], 65535, port) || !parseNumber(argv[2], 1000000, &us) ||
      !parseNumber(argv[3], maxBodyBytes - wireChunkHeaderBytes, &bytes) || !parseHex(argv[4]) ||
      !parseNumber(argv[5], maxChunksPerSend, &chunks)) {
    return false;
  }
  // The first bytes of a payload are the timestamp.
  if (bytes < timeBodyBytes) return false;
  chunkUs = us;
  payloadBytes = (uint32_t)bytes;
  chunksPerSend = (uint32_t)chunks;
  chunkBytes = chunkHeadersBytes + payloadBytes;
  return true;
}

int main(int argc, char **argv) {
  long port = 0;
  if (!parseArguments(argc, argv, &port)) {
    fprintf(stderr, "usage: send-loop PORT CHUNK_US PAYLOAD_BYTES CODEC_HEADER CHUNKS_PER_SEND\n");
    return 2;
  }
  ring = calloc(chunksPerSend, chunkBytes);
  if (ring == NULL) die("calloc");
  struct sigaction onTerm = {.sa_handler = stop};
  sigaction(SIGTERM, &onTerm, NULL);
  sigaction(SIGINT, &onTerm, NULL);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  int listener = listenOn((uint16_t)port);
  int timer = startTimer();
  watch(epoll, listener);
  watch(epoll, timer);
  // As with a generated signal, a chunk is new when it is published: its age is all delivery.
  int64_t timestampUs = monotonicUs() + chunkUs;
  while (!stopping) {
    struct epoll_event events[maxEvents];
    int ready = epoll_wait(epoll, events, maxEvents, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        acceptClients(listener, epoll);
      } else if (fd == timer) {
        uint64_t due = 0;
        if (read(timer, &due, sizeof due) != sizeof due) continue;
        for (; due > 0; due--, timestampUs += chunkUs) publish(timestampUs);
      } else if (clients[fd] != NULL && !readClient(clients[fd])) {
        closeClient(clients[fd]);
      }
    }
  }
  printReport();
  return 0;
}
