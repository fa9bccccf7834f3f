#include "libflac.hpp"

#ifndef _WIN32

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "tap.hpp"

using zerocast::findLibflac;
using zerocast::libflacFiles;
using zerocast::LibflacSearch;
using zerocast::test::Run;

namespace {

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

// A file that no loader takes for a library.
class TextFile {
 public:
  TextFile() {
    const int fd = ::mkstemp(path_.data());
    static_cast<void>(!::write(fd, "no library", 10));
    ::close(fd);
  }
  ~TextFile() { ::unlink(path_.c_str()); }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  [[nodiscard]] const char* path() const { return path_.c_str(); }

 private:
  std::string path_ = "/tmp/zerocast-no-library.XXXXXX";
};

}  // namespace

int main() {
  Run run;

  run.it("finds the library of this machine with its version, by its name alone", [](Run& t) {
    const LibflacSearch search = findLibflac();
    t.expect(search.library.has_value(), "libFLAC is installed (apt-get install flac)");
    if (!search.library) return;
    t.expect(std::string(search.library->version).starts_with("1."), "it says which one it is");
    t.expect(!contains(search.library->file, "/"), "no folder was named");
    t.expect(search.reason.empty(), "there is nothing to complain about");
  });

  run.it("says in few words that none is installed", [](Run& t) {
    const std::array<const char*, 2> names = {"libFLAC.so.97", "libFLAC.so.98"};
    const LibflacSearch search = findLibflac(names);
    t.expect(!search.library, "there is none");
    t.expect(search.reason == "it is not installed", "the two names are no news");
    t.expect(findLibflac({}).reason == "it is not installed", "nor is it among no names");
  });

  run.it("goes on to the next name after a file that is no library", [](Run& t) {
    const TextFile text;
    const std::array<const char*, 4> names = {text.path(), libflacFiles()[0], libflacFiles()[1],
                                              libflacFiles()[2]};
    t.expect(findLibflac(names).library.has_value(), "a later one is found");
    const std::array<const char*, 2> bad = {"libFLAC.so.99", text.path()};
    t.expect(contains(findLibflac(bad).reason, text.path()), "the reason names the file");
    t.expect(!contains(findLibflac(bad).reason, "so.99"), "and not the one that is not there");
  });

  run.it("names the symbol that another library has not", [](Run& t) {
    const std::array<const char*, 1> names = {"libm.so.6"};
    const std::string reason = findLibflac(names).reason;
    const bool isMusl = reason == "it is not installed";
    t.expect(isMusl || reason == "libm.so.6 has no FLAC__stream_encoder_new", "it is the first");
  });

  return run.finish();
}

#else
int main() { return 0; }
#endif
