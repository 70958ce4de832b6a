#include "os/child_program.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace os {
namespace {

constexpr int first_number = 3;  // of the descriptors that a child is given

// Everything that the new process needs, prepared before it exists: between fork and exec it must not allocate.
struct prepared {
  std::vector<char*> argv, environment;
  std::vector<std::pair<int, int>> descriptors;  // ours are copies above all numbers in the child
  int net_namespace = -1;
  bool survives = false;
  int report = -1;  // where the error number goes
  pid_t parent = 0;
};

[[noreturn]] void give_up(int report) {
  const int number = errno;
  static_cast<void>(!::write(report, &number, sizeof number));
  ::_exit(127);
}

void use_default_signals() {
  struct sigaction action{};  // NOLINT: the child of a fork
  action.sa_handler = SIG_DFL;
  for (const int number : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM, SIGUSR1})
    ::sigaction(number, &action, nullptr);  // NOLINT
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Runs in the new process: system calls alone.
[[noreturn]] void become(const prepared& p) {
  use_default_signals();
  if (!p.survives && (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != p.parent)) give_up(p.report);
  if (!p.survives && ::setpgid(0, 0) != 0) give_up(p.report);
  if (p.net_namespace >= 0 && ::setns(p.net_namespace, CLONE_NEWNET) != 0) give_up(p.report);
  int first_free = first_number;
  for (const auto& [ours, number] : p.descriptors) {
    if (::dup2(ours, number) < 0) give_up(p.report);
    first_free = number + 1;
  }
  // The report closes itself when the program begins.
  if (first_free < p.report) ::close_range(static_cast<unsigned>(first_free), static_cast<unsigned>(p.report) - 1, 0);
  ::close_range(static_cast<unsigned>(p.report) + 1, ~0U, 0);
  environ = const_cast<char**>(p.environment.data());
  ::execvp(p.argv[0], p.argv.data());
  give_up(p.report);
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> made;
  for (const auto& word : words) made.push_back(const_cast<char*>(word.c_str()));
  return made;
}

// A name occurs once: of two words with one name, libc takes the first, and shells take the last.
std::vector<char*> environment_of(const child_request& request) {
  auto made = pointers(request.environment);
  const auto is_given = [&](std::string_view word) {
    const auto name = word.substr(0, word.find('=') + 1);
    return std::ranges::any_of(request.environment, [&](const auto& given) { return given.starts_with(name); });
  };
  for (char** word = environ; *word != nullptr; ++word)
    if (!is_given(*word)) made.push_back(*word);
  made.push_back(nullptr);
  return made;
}

int wait_status_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

base::result<child_program> child_program::start(const async::executor& where, const child_request& request) {
  const int above = request.descriptors.empty() ? first_number : request.descriptors.back().second + 1;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::fail_errno("pipe");
  base::unique_fd read_end(ends[0]), low(ends[1]), report(::fcntl(low.get(), F_DUPFD_CLOEXEC, above));
  if (!report) return base::fail_errno("copy a descriptor for " + request.argv[0]);
  low.reset();
  prepared p{.argv = pointers(request.argv),
             .environment = environment_of(request),
             .descriptors = {},
             .net_namespace = request.net_namespace,
             .survives = request.survives,
             .report = report.get(),
             .parent = ::getpid()};
  p.argv.push_back(nullptr);
  std::vector<base::unique_fd> copies;
  for (const auto& [ours, number] : request.descriptors) {
    copies.emplace_back(::fcntl(ours, F_DUPFD_CLOEXEC, above));
    if (!copies.back()) return base::fail_errno("copy a descriptor for " + request.argv[0]);
    p.descriptors.emplace_back(copies.back().get(), number);
  }
  const pid_t pid = ::fork();
  if (pid < 0) return base::fail_errno("start " + request.argv[0]);
  if (pid == 0) become(p);
  report.reset();
  int failed = 0;
  if (::read(read_end.get(), &failed, sizeof failed) == sizeof failed) {
    ::waitpid(pid, nullptr, 0);
    return base::fail(std::error_code(failed, std::system_category()), "start " + request.argv[0]);
  }
  // glibc 2.36 declares pidfd_open() without C linkage: call the kernel.
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return base::fail(std::errc::too_many_files_open, "pidfd_open");
  }
  return child_program(where, pid, pidfd, request.survives);
}

child_program::child_program(const async::executor& where, pid_t pid, int pidfd, bool survives)
    : pid_(pid), survives_(survives), exit_(where, pidfd) {}

child_program::child_program(child_program&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      code_(other.code_),
      survives_(other.survives_),
      exit_(std::move(other.exit_)) {}

child_program::~child_program() {
  if (pid_ <= 0 || survives_) return;
  end_group();
  ::waitpid(pid_, nullptr, 0);
}

// Before the leader is reaped: later, its number may be that of another group.
void child_program::end_group() const {
  if (!survives_) ::kill(-pid_, SIGKILL);
}

async::task<int> child_program::ended() {
  while (pid_ > 0) {
    siginfo_t found{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &found, WEXITED | WNOHANG | WNOWAIT) == 0 && found.si_pid == pid_) {
      end_group();
      int status = 0;
      ::waitpid(pid_, &status, 0);
      pid_ = -1;
      code_ = wait_status_code(status);
      break;
    }
    co_await exit_.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
  }
  co_return code_;
}

void child_program::send_signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

async::task<> child_program::stop(async::clock::time_point deadline) {
  send_signal(SIGTERM);
  auto wait = [](child_program* self) -> async::task<base::result<int>> { co_return co_await self->ended(); };
  const auto done = co_await async::until(deadline, wait(this));
  if (done) co_return;
  send_signal(SIGKILL);
  co_await ended();
}

}  // namespace os
