#include "sources/containerd/network_config.hpp"

#include <fcntl.h>

#include <cerrno>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/read_file.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace containerd {

base::result<std::optional<std::string>> read_network_config(std::string_view directory) {
  if (!directory.starts_with('/') || directory.contains('\0'))
    return base::fail("the state directory is not an absolute path");
  const base::unique_fd where(::open(std::string(directory).c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!where && errno == ENOENT) return std::nullopt;
  if (!where) return base::fail_errno("the state directory");
  auto text = base::read_file("network-config.json", {.follow_links = false}, where.get());
  if (!text && text.error().code == std::errc::no_such_file_or_directory) return std::nullopt;
  if (!text) return std::unexpected(text.error());
  return std::move(*text);
}

}  // namespace containerd
