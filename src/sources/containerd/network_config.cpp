#include "sources/containerd/network_config.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.hpp"

namespace containerd {
namespace {

constexpr std::size_t longest_text = 1 << 20;

base::result<std::optional<std::string>> read_all(int fd) {
  std::string text(longest_text + 1, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const auto n = ::read(fd, text.data() + length, text.size() - length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("network-config.json");
    if (n == 0) break;
    length += static_cast<std::size_t>(n);
  }
  if (length > longest_text) return base::fail("network-config.json is larger than 1 MiB");
  text.resize(length);
  text.shrink_to_fit();
  return text;
}

}  // namespace

base::result<std::optional<std::string>> read_network_config(std::string_view directory) {
  if (!directory.starts_with('/') || directory.contains('\0')) return base::fail("the state directory is no absolute path");
  const base::unique_fd where(::open(std::string(directory).c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!where && errno == ENOENT) return std::nullopt;
  if (!where) return base::fail_errno("the state directory");
  const base::unique_fd file(::openat(where.get(), "network-config.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return base::fail_errno("network-config.json");
  struct stat is {};
  if (::fstat(file.get(), &is) != 0) return base::fail_errno("network-config.json");
  if (!S_ISREG(is.st_mode)) return base::fail("network-config.json is no regular file");
  return read_all(file.get());
}

}  // namespace containerd
