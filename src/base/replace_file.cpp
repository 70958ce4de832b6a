#include "base/replace_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace base {
namespace {

result<> write_all(int fd, std::string_view text, const std::string& name) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("write " + name);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0) return fail_errno("sync " + name);
  return {};
}

}  // namespace

result<> replace_file(const std::filesystem::path& file, std::string_view text) {
  const auto fresh = file.native() + ".new";
  if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) return fail_errno("remove " + fresh);
  const unique_fd out(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out) return fail_errno("create " + fresh);
  auto written = write_all(out.get(), text, fresh);
  if (written && ::rename(fresh.c_str(), file.c_str()) != 0) written = fail_errno("rename " + fresh);
  if (!written) {
    ::unlink(fresh.c_str());
    return written;
  }
  const unique_fd directory(::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return fail_errno("sync " + file.parent_path().native());
  return {};
}

}  // namespace base
