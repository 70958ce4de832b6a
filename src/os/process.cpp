#include "os/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <cstddef>
#include <exception>
#include <expected>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace os {
namespace {

struct pipe_ends {
  base::unique_fd read;
  base::unique_fd write;
};

base::result<pipe_ends> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::fail_errno("pipe");
  return pipe_ends{base::unique_fd(ends[0]), base::unique_fd(ends[1])};
}

constexpr int death_limit_ms = 100;

// A killed program may still wait in the kernel, for a disk or for netfilter: another thread reaps it.
void reap(pid_t pid, int pidfd) {
  pollfd death{.fd = pidfd, .events = POLLIN, .revents = 0};
  ::poll(&death, 1, death_limit_ms);
  if (::waitpid(pid, nullptr, WNOHANG) != 0) return;
  try {
    std::thread([pid] { ::waitpid(pid, nullptr, 0); }).detach();
  } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch): it stays a zombie until this program ends
  }
}

// A started child. Its destructor kills and reaps it, unless it was reaped already.
struct child {
  pid_t pid = -1;
  async::asio::posix::stream_descriptor in, out, err, exited;
  explicit child(const async::executor& where) : in(where), out(where), err(where), exited(where) {}
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() {
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    reap(pid, exited.native_handle());
  }
};

base::result<> start(child& c, const std::vector<std::string>& arguments) {
  if (arguments.empty()) return base::fail("run a program: no name");
  auto in = make_pipe(), out = make_pipe(), err = make_pipe();
  if (!in || !out || !err) return base::fail(std::errc::too_many_files_open, "pipe for " + arguments[0]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in->read.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out->write.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, err->write.get(), 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int number : {SIGPIPE, SIGXFSZ}) sigaddset(&defaults, number);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const auto& word : arguments) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const int failed = posix_spawnp(&c.pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    c.pid = -1;
    return base::fail(std::error_code(failed, std::system_category()), "start " + arguments[0]);
  }
  // glibc 2.36 declares pidfd_open() without C linkage: call the kernel.
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, c.pid, 0));
  if (pidfd < 0) return base::fail_errno("pidfd_open");
  c.exited.assign(pidfd);
  c.in.assign(in->write.release());
  c.out.assign(out->read.release());
  c.err.assign(err->read.release());
  return {};
}

async::task<> feed(child& c, std::string input) {
  co_await async::asio::async_write(c.in, async::asio::buffer(input), async::nothrow);
  c.in.close();
}

// Reads to the end of file. Beyond the limit it stops one byte later, and so do the other streams: otherwise the
// program and its children would wait for a reader.
async::task<> collect(child& c, async::asio::posix::stream_descriptor& from, std::string& into, std::size_t limit) {
  co_await async::asio::async_read(from, async::asio::dynamic_buffer(into, limit + 1), async::nothrow);
  if (into.size() <= limit) co_return;
  for (auto* stream : {&c.in, &c.out, &c.err}) stream->close();
}

async::task<base::result<process_output>> finish(std::shared_ptr<child> c, process_request request) {
  process_output output;
  async::task_group streams(co_await async::asio::this_coro::executor);
  streams.spawn("stdin of " + request.argv[0], feed(*c, std::move(request.input)));
  streams.spawn("stderr of " + request.argv[0], collect(*c, c->err, output.err, request.output_limit));
  streams.spawn("stdout of " + request.argv[0], collect(*c, c->out, output.out, request.output_limit));
  std::exception_ptr cancelled;
  try {
    co_await streams.join();
    if (output.out.size() <= request.output_limit && output.err.size() <= request.output_limit)
      co_await c->exited.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (cancelled) {  // the streams write into `output`: they end first
    co_await async::asio::this_coro::reset_cancellation_state(async::asio::disable_cancellation());
    co_await streams.stop(async::clock::time_point::max());
    std::rethrow_exception(cancelled);
  }
  if (output.out.size() > request.output_limit || output.err.size() > request.output_limit)
    co_return base::fail(std::errc::message_size, "output of " + request.argv[0]);
  int status = 0;
  output.pid = std::exchange(c->pid, -1);
  ::waitpid(output.pid, &status, 0);
  output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  co_return output;
}

}  // namespace

async::task<base::result<process_output>> run_process(process_request request, async::clock::duration limit) {
  auto running = std::make_shared<child>(co_await async::asio::this_coro::executor);
  if (auto started = start(*running, request.argv); !started) co_return std::unexpected(started.error());
  const std::string name = request.argv[0];
  auto output = co_await async::within(limit, finish(running, std::move(request)));
  if (!output && output.error().code == std::errc::timed_out) output.error().context = name;
  co_return output;
}

}  // namespace os
