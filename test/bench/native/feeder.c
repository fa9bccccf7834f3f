// A program that plays into a fifo, as a player does: always LEAD_MS ahead of what is due, in pieces
// of PIECE_MS, from a file that it repeats.
//
//   feeder FIFO FILE BYTES_PER_SECOND LEAD_MS PIECE_MS
//
// It ends with the reader of the fifo, or with the program that started it.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire.h"

static _Noreturn void die(const char *what) {
  perror(what);
  exit(1);
}

static void sleepUntil(int64_t timeUs) {
  struct timespec until = {.tv_sec = timeUs / 1000000, .tv_nsec = timeUs % 1000000 * 1000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
  }
}

// The server makes it, maybe a moment after its ports are open.
static int openFifo(const char *path) {
  for (int attempts = 1000;; attempts--) {
    int fifo = open(path, O_WRONLY | O_CLOEXEC);
    if (fifo >= 0) return fifo;
    if (errno != ENOENT || attempts == 0) die(path);
    sleepUntil(monotonicUs() + 10000);
  }
}

// Blocks while the fifo is full, as every player does.
static void writeAll(int fifo, const uint8_t *from, size_t bytes) {
  while (bytes > 0) {
    ssize_t taken = write(fifo, from, bytes);
    if (taken < 0) {
      if (errno == EPIPE) exit(0);
      die("write");
    }
    from += taken;
    bytes -= (size_t)taken;
  }
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: feeder FIFO FILE BYTES_PER_SECOND LEAD_MS PIECE_MS\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  const int64_t bytesPerSec = atoll(argv[3]);
  const int64_t leadUs = atoll(argv[4]) * 1000;
  const int64_t pieceUs = atoll(argv[5]) * 1000;
  const size_t pieceBytes = (size_t)(bytesPerSec * pieceUs / 1000000);
  int file = open(argv[2], O_RDONLY | O_CLOEXEC);
  if (file < 0) die(argv[2]);
  struct stat about;
  if (fstat(file, &about) != 0) die(argv[2]);
  const size_t fileBytes = (size_t)about.st_size;
  if (pieceUs == 0 || pieceBytes == 0 || fileBytes < pieceBytes) {
    fprintf(stderr, "feeder: a piece must be longer than nothing and shorter than the file\n");
    return 2;
  }
  const uint8_t *audio = mmap(NULL, fileBytes, PROT_READ, MAP_PRIVATE, file, 0);
  if (audio == MAP_FAILED) die("mmap");
  int fifo = openFifo(argv[1]);
  int64_t dueUs = monotonicUs() - leadUs;
  for (size_t at = 0;; dueUs += pieceUs) {
    sleepUntil(dueUs);
    writeAll(fifo, audio + at, pieceBytes);
    at += pieceBytes;
    if (at + pieceBytes > fileBytes) at = 0;
  }
}
