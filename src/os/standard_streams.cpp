#include "os/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/result.hpp"
#include "os/end_watch.hpp"

namespace os {
namespace {

constexpr auto output_name = "standard output", error_name = "standard error";

base::result<> write(std::FILE* to, std::string_view text, const char* name) {
  const bool written = std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0;
  return written ? base::result<>{} : base::fail_errno(name);
}

bool is_writable(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

}  // namespace

void occupy_closed_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/", O_PATH));  // takes the lowest number, which is fd
}

base::result<> print(std::string_view text) { return write(stdout, text, output_name); }
base::result<> print_error(std::string_view text) { return write(stderr, text, error_name); }

async::task<base::error> output_lost() {
  if (!is_writable(STDOUT_FILENO)) co_return base::error{make_error_code(std::errc::bad_file_descriptor), output_name};
  auto watch = end_watch::open(co_await async::asio::this_coro::executor, STDOUT_FILENO, end_of::both_directions);
  if (!watch) co_await async::sleep_until(async::clock::time_point::max());  // a file has no reader
  co_await watch->ended();
  co_return base::error{make_error_code(std::errc::broken_pipe), output_name};
}

}  // namespace os
