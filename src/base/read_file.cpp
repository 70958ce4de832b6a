#include "base/read_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace base {

static_assert(AT_FDCWD == -100);

namespace {

constexpr std::size_t least_room = 4'000;

// The rest of the file, one byte more than `limit` at most. `room`: what it should have, and a byte that shows its end.
result<std::string> read_rest(int file, const std::string& path, std::size_t room, std::size_t limit) {
  std::string text(room, '\0');
  std::size_t length = 0;
  while (length <= limit) {
    if (length == text.size()) text.resize(std::min(2 * length, limit + 1));
    const auto n = ::read(file, text.data() + length, text.size() - length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(path);
    if (n == 0) break;
    length += static_cast<std::size_t>(n);
  }
  text.resize(length);
  text.shrink_to_fit();
  return text;
}

}  // namespace

result<std::string> read_file(const std::string& path, read_limits limits, int directory) {
  const int links = limits.follow_links ? 0 : O_NOFOLLOW;
  const unique_fd file(::openat(directory, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | links));
  if (!file) return fail_errno(path);
  struct stat is{};
  if (::fstat(file.get(), &is) != 0) return fail_errno(path);
  if (!S_ISREG(is.st_mode)) return fail(path + " is not a regular file");
  const auto too_large = [&] { return fail(path + " is larger than " + std::to_string(limits.bytes) + " bytes"); };
  const auto size = static_cast<std::size_t>(is.st_size);  // 0 for a file in /proc
  if (size > limits.bytes) return too_large();
  auto text = read_rest(file.get(), path, std::min(std::max(size, least_room), limits.bytes) + 1, limits.bytes);
  if (text && text->size() > limits.bytes) return too_large();
  return text;
}

}  // namespace base
