#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace zerocast::test {

// Whether `body` ends its process by an abort. It runs in a child.
template <typename Body>
[[nodiscard]] bool aborts(Body&& body) {
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    constexpr rlimit noCoreFile{0, 0};
    setrlimit(RLIMIT_CORE, &noCoreFile);
    body();
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return false;
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace zerocast::test
