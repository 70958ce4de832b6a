#include "programs/network_setup/engine_namespace.hpp"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/read_file.hpp"
#include "base/replace_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
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

// The init of an earlier run: the id may have been reused by now, so its name and namespace count as well.
pid_t init_in(const std::filesystem::path& pid_file) {
  const auto text = base::read_file(pid_file);
  const auto pid = text ? base::parse_number<pid_t>(base::trim(*text)) : std::nullopt;
  if (!pid || *pid <= 1) return 0;
  const auto name = base::read_file("/proc/" + std::to_string(*pid) + "/comm");
  if (!name || base::trim(*name) != "unshare") return 0;
  const auto theirs = os::net_namespace_of(*pid), ours = os::net_namespace_of(::getpid());
  return theirs && ours && !os::is_same_namespace(theirs->get(), ours->get()) ? *pid : 0;
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
  // glibc 2.36 declares pidfd_open() without C linkage: call the kernel.
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
  if (pidfd < 0) return base::fail_errno("process " + std::to_string(process));
  base::unique_fd owned(pidfd);
  auto theirs = os::net_namespace_of(process);
  if (!theirs) return std::unexpected(theirs.error());
  return engine_namespace(where, std::move(*theirs), process, owned.release());
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
  if (const auto pid = init_in(pid_file); pid != 0) {
    base::log::info(component, "takes the namespace of an earlier run pid={}", pid);
    return of_process(where, pid);
  }
  const auto made = os::make_net_namespace();
  if (!made) return std::unexpected(made.error());
  const auto init = os::child_program::start(
      where, {.argv = {"unshare", "--pid", "--mount-proc", "--fork", "--propagation", "slave", argument},
              .net_namespace = made->get(),
              .survives = true});
  if (!init) return std::unexpected(init.error());
  if (auto written = base::replace_file(pid_file, std::to_string(init->pid())); !written) {
    kill_with_children(init->pid());
    return std::unexpected(written.error());
  }
  return of_process(where, init->pid());
}

async::task<> engine_namespace::ended() {
  co_await exit_.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
  co_await async::check_cancelled();
}

}  // namespace network_setup
