#include "base/read_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace base {

static_assert(AT_FDCWD == -100);

result<std::string> read_file(const std::string& path, read_limits limits, int directory) {
  const int links = limits.follow_links ? 0 : O_NOFOLLOW;
  const unique_fd file(::openat(directory, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | links));
  if (!file) return fail_errno(path);
  struct stat is{};
  if (::fstat(file.get(), &is) != 0) return fail_errno(path);
  if (!S_ISREG(is.st_mode)) return fail(path + " is not a regular file");
  const auto too_large = [&] { return fail(path + " is larger than " + std::to_string(limits.bytes) + " bytes"); };
  if (static_cast<std::size_t>(is.st_size) > limits.bytes) return too_large();
  std::string text(limits.bytes + 1, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const auto n = ::read(file.get(), text.data() + length, text.size() - length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(path);
    if (n == 0) break;
    length += static_cast<std::size_t>(n);
  }
  if (length > limits.bytes) return too_large();
  text.resize(length);
  text.shrink_to_fit();
  return text;
}

}  // namespace base
