#include "programs/network_setup/engine_namespace.hpp"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/read_file.hpp"
#include "base/replace_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "os/child_program.hpp"
#include "os/namespaces.hpp"
#include "os/process.hpp"

namespace network_setup {
namespace {

using namespace std::chrono_literals;

constexpr const char* component = "namespace";

// 0: the service has no process at the moment.
async::task<base::result<pid_t>> main_pid(std::string service) {
  const auto output = co_await os::run_process(
      {.argv = {"systemctl", "show", "--property=MainPID", "--value", service}, .input = {}, .output_limit = 4096}, 5s);
  if (!output) co_return std::unexpected(output.error());
  const auto pid = base::parse_number<pid_t>(base::trim(output->out));
  if (output->exit_code != 0 || !pid)
    co_return base::fail("systemctl: " + base::printable(base::trim(output->err.empty() ? output->out : output->err)));
  co_return *pid;
}

constexpr std::array<std::string_view, 6> unshare_command{"unshare", "--pid",         "--mount-proc",
                                                          "--fork",  "--propagation", "slave"};

// The file or its process has gone; other errors do not say so.
bool is_gone(const base::error& why) {
  return why.code == std::errc::no_such_file_or_directory || why.code == std::errc::no_such_process;
}

// Whether the process runs unshare_command and an argument. unshare may have a path, and an interpreter before it.
base::result<bool> runs_unshare(pid_t process) {
  const auto text = base::read_file(fmt::format("/proc/{}/cmdline", process));
  if (!text && is_gone(text.error())) return false;
  if (!text) return std::unexpected(text.error());
  auto words = base::split(*text, '\0');  // a zero ends the last one, too
  if (words.size() < unshare_command.size() + 2) return false;
  const auto begin = words.end() - static_cast<std::ptrdiff_t>(unshare_command.size() + 2);
  *begin = begin->substr(begin->rfind('/') + 1);
  return std::ranges::equal(begin, words.end() - 2, unshare_command.begin(), unshare_command.end());
}

// Whether the process is the init of an earlier run: its id may have been reused by now, so its command and namespace
// count as well.
base::result<bool> is_earlier_init(pid_t process) {
  if (const auto unshare = runs_unshare(process); !unshare || !*unshare) return unshare;
  const auto theirs = os::net_namespace_of(process), ours = os::net_namespace_of(::getpid());
  if (!theirs && is_gone(theirs.error())) return false;
  if (!theirs) return std::unexpected(theirs.error());
  if (!ours) return std::unexpected(ours.error());
  return !os::is_same_namespace(theirs->get(), ours->get());
}

// The init of an earlier run, or 0. An unreadable file is an error: there might be one, and a second engine beside it.
base::result<pid_t> init_in(const std::filesystem::path& pid_file) {
  const auto text = base::read_file(pid_file);
  if (!text && is_gone(text.error())) return 0;
  if (!text) return std::unexpected(text.error());
  const auto pid = base::parse_number<pid_t>(base::trim(*text));
  if (!pid || *pid <= 1) return 0;
  const auto earlier = is_earlier_init(*pid);
  if (!earlier) return std::unexpected(earlier.error());
  return *earlier ? *pid : 0;
}

base::result<base::unique_fd> pidfd_of(pid_t process) {
  // glibc 2.36 declares pidfd_open() without C linkage: call the kernel.
  base::unique_fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (!pidfd) return base::fail_errno("process " + std::to_string(process));
  return pidfd;
}

base::result<> differs_from_ours(int net_namespace) {
  const auto ours = os::net_namespace_of(::getpid());
  if (!ours) return std::unexpected(ours.error());
  if (os::is_same_namespace(net_namespace, ours->get()))
    return base::fail("its process is in the default network namespace");
  return {};
}

}  // namespace

// It is stopped first, so that it starts no program meanwhile.
void kill_with_children(pid_t unshare) {
  ::kill(unshare, SIGSTOP);
  ::waitpid(unshare, nullptr, WUNTRACED);
  const auto children = base::read_file(fmt::format("/proc/{0}/task/{0}/children", unshare)).value_or("");
  for (const auto word : base::split(base::trim(children), ' '))
    if (const auto child = base::parse_number<pid_t>(word)) ::kill(*child, SIGKILL);
  ::kill(unshare, SIGKILL);
  ::waitpid(unshare, nullptr, 0);
}

base::result<engine_namespace> engine_namespace::of_process(const async::executor& where, pid_t process) {
  auto pidfd = pidfd_of(process);
  if (!pidfd) return std::unexpected(pidfd.error());
  auto theirs = os::net_namespace_of(process);
  if (!theirs) return std::unexpected(theirs.error());
  return engine_namespace(where, std::move(*theirs), process, pidfd->release());
}

async::task<base::result<engine_namespace>> engine_namespace::of_service(std::string service) {
  base::log::episode trouble(component, "no process service=" + service);
  const auto where = co_await async::asio::this_coro::executor;
  while (true) {
    auto pid = co_await main_pid(service);
    if (pid && *pid == 0) pid = base::fail("it does not run");
    if (pid) {
      auto found = of_process(where, *pid);
      const auto usable = found ? differs_from_ours(found->fd()) : std::unexpected(found.error());
      if (usable) {
        trouble.note({});
        co_return found;
      }
      pid = std::unexpected(usable.error());
    }
    trouble.note(std::unexpected(pid.error()));
    co_await async::sleep_for(1s);
  }
}

base::result<engine_namespace> engine_namespace::of_init(const async::executor& where, const std::string& argument,
                                                         const std::filesystem::path& pid_file) {
  const auto earlier = init_in(pid_file);
  if (!earlier) return std::unexpected(earlier.error());
  if (const auto pid = *earlier; pid != 0) {
    base::log::info(component, "takes the namespace of an earlier run pid={}", pid);
    return of_process(where, pid);
  }
  auto made = os::make_net_namespace();
  if (!made) return std::unexpected(made.error());
  std::vector<std::string> argv(unshare_command.begin(), unshare_command.end());
  argv.push_back(argument);
  const auto init =
      os::child_program::start(where, {.argv = std::move(argv), .net_namespace = made->get(), .survives = true});
  if (!init) return std::unexpected(init.error());
  if (auto written = base::replace_file(pid_file, std::to_string(init->pid())); !written) {
    kill_with_children(init->pid());
    return std::unexpected(written.error());
  }
  auto process = pidfd_of(init->pid());
  if (!process) return std::unexpected(process.error());
  return engine_namespace(where, std::move(*made), init->pid(), process->release());
}

async::task<std::string> engine_namespace::ended() {
  co_await exit_.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
  co_await async::check_cancelled();
  siginfo_t how{};
  const auto process = static_cast<id_t>(process_);
  if (::waitid(P_PID, process, &how, WEXITED | WNOHANG) != 0 || how.si_pid != process_) co_return "";
  co_return fmt::format("unshare, or the program of -unshare-arg, ended with {}",
                        how.si_code == CLD_EXITED ? how.si_status : 128 + how.si_status);
}

}  // namespace network_setup
