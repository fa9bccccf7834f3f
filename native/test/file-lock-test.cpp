#include "file-lock.hpp"

#ifdef __linux__

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "descriptor.hpp"
#include "tap.hpp"

using zerocast::Descriptor;
using zerocast::lockFile;
using zerocast::test::Run;

namespace {

class File {
 public:
  File() { ::close(::mkstemp(path_.data())); }
  ~File() { ::unlink(path_.c_str()); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] Descriptor open() const {
    return Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  }

 private:
  std::string path_ = "/tmp/zerocast-lock.XXXXXX";
};

// What another process gets that opens the file and locks it.
int lockedElsewhere(const File& file) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(lockFile(file.open().fd()));
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

int main() {
  Run run;

  run.it("keeps everybody else out until the descriptor is closed, and does not wait", [](Run& t) {
    const File file;
    {
      const Descriptor first = file.open();
      t.expect(lockedElsewhere(file) == 0, "whoever is gone holds nothing");
      t.expect(lockFile(first.fd()) == 0, "the first one gets it");
      t.expect(lockFile(first.fd()) == 0, "which is no obstacle for itself");
      t.expect(lockFile(file.open().fd()) == EWOULDBLOCK, "another descriptor does not");
      t.expect(lockedElsewhere(file) == EWOULDBLOCK, "neither does another process");
    }
    t.expect(lockedElsewhere(file) == 0, "it is free again");
  });

  run.it("says why there can be no lock", [](Run& t) {
    t.expect(lockFile(-1) == EBADF, "there is no such descriptor");
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
