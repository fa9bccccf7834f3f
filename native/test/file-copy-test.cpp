#include "file-copy.hpp"

#ifdef __linux__

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "descriptor.hpp"
#include "tap.hpp"

using zerocast::cloneFile;
using zerocast::copyRange;
using zerocast::Descriptor;
using zerocast::sendRange;
using zerocast::test::Run;

namespace {

using Copy = std::int64_t (*)(int, int, std::int64_t, std::size_t) noexcept;

// A file without a name.
Descriptor fileWith(const std::string& content, const std::string& folder = "/tmp") {
  std::string path = folder + "/zerocast-copy.XXXXXX";
  Descriptor file(::mkstemp(path.data()));
  ::unlink(path.c_str());
  if (::pwrite(file.fd(), content.data(), content.size(), 0) < 0) return {};
  return file;
}

std::string contentOf(const Descriptor& file) {
  std::string content(1 << 20, '\0');
  const ssize_t bytes = ::pread(file.fd(), content.data(), content.size(), 0);
  content.resize(bytes < 0 ? 0 : static_cast<std::size_t>(bytes));
  return content;
}

std::string numbers(std::size_t count) {
  std::string text;
  for (std::size_t number = 0; number < count; ++number) text += std::to_string(number) + ' ';
  return text;
}

// Copies piece by piece; the last call finds the end.
bool copiesAll(Copy copy, const Descriptor& from, const Descriptor& to, std::size_t pieceBytes) {
  std::int64_t at = 0;
  for (;;) {
    const std::int64_t copied = copy(from.fd(), to.fd(), at, pieceBytes);
    if (copied <= 0) return copied == 0 && contentOf(to) == contentOf(from);
    at += copied;
  }
}

bool areOnOneFileSystem(const Descriptor& a, const Descriptor& b) {
  struct stat first = {};
  struct stat second = {};
  return ::fstat(a.fd(), &first) == 0 && ::fstat(b.fd(), &second) == 0 &&
         first.st_dev == second.st_dev;
}

}  // namespace

int main() {
  Run run;

  run.it("copies a file in pieces of any size", [](Run& t) {
    const Descriptor from = fileWith(numbers(10'000));
    for (const std::size_t bytes : {1'000UL, 4'096UL, 1'000'000UL}) {
      t.expect(copiesAll(copyRange, from, fileWith(""), bytes), "by copy_file_range");
      t.expect(copiesAll(sendRange, from, fileWith(""), bytes), "by sendfile");
    }
  });

  run.it("copies from one file system to another, or says that it cannot", [](Run& t) {
    const Descriptor from = fileWith(numbers(10'000));
    const Descriptor to = fileWith("", "/dev/shm");
    if (!to.isOpen() || areOnOneFileSystem(from, to)) return;
    t.expect(copiesAll(sendRange, from, to, 1'000'000), "by sendfile");
    t.expect(cloneFile(from.fd(), to.fd()) == EXDEV, "blocks cannot be shared");
  });

  run.it("shares the blocks of a file, or says that the file system has no such thing", [](Run& t) {
    const Descriptor from = fileWith(numbers(10'000));
    const Descriptor to = fileWith("");
    const int error = cloneFile(from.fd(), to.fd());
    t.expect(error == EOPNOTSUPP || error == ENOTTY || contentOf(to) == contentOf(from),
             "the content is there, or nothing was done");
    t.expect(error == 0 || contentOf(to).empty(), "nothing was done");
  });

  run.it("leaves the place of the source where it was", [](Run& t) {
    const Descriptor from = fileWith(numbers(1'000));
    ::lseek(from.fd(), 7, SEEK_SET);
    t.expect(copiesAll(copyRange, from, fileWith(""), 1'000), "by copy_file_range");
    t.expect(copiesAll(sendRange, from, fileWith(""), 1'000), "by sendfile");
    t.expect(::lseek(from.fd(), 0, SEEK_CUR) == 7, "nobody sees that it was copied");
  });

  // Each copy runs on a thread of its own, and several may have one source.
  run.it("copies one file for several threads at one time", [](Run& t) {
    const Descriptor from = fileWith(numbers(20'000));
    constexpr std::size_t count = 8;
    std::vector<char> isWhole(count, 0);
    std::vector<std::thread> threads;
    for (std::size_t index = 0; index < count; ++index) {
      threads.emplace_back([&from, &isWhole, index] {
        const Copy copy = index % 2 == 0 ? copyRange : sendRange;
        isWhole[index] = copiesAll(copy, from, fileWith(""), 1'000 + index) ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const char one : isWhole) t.expect(one == 1, "each has all of it");
  });

  run.it("says what is wrong with descriptors", [](Run& t) {
    const Descriptor from = fileWith("x");
    t.expect(copyRange(from.fd(), -1, 0, 1) == -EBADF, "no target for copy_file_range");
    t.expect(sendRange(from.fd(), -1, 0, 1) == -EBADF, "no target for sendfile");
    t.expect(cloneFile(from.fd(), -1) == EBADF, "no target for a clone");
    t.expect(copyRange(-1, from.fd(), 0, 1) == -EBADF, "no source for copy_file_range");
    t.expect(sendRange(-1, from.fd(), 0, 1) == -EBADF, "no source for sendfile");
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
