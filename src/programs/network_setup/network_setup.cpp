#include "programs/network_setup/network_setup.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <expected>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/first_of.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "base/backoff.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "link/handshake/vm_side.hpp"
#include "link/link_url.hpp"
#include "link/tap_values.hpp"
#include "os/capabilities.hpp"
#include "os/end_watch.hpp"
#include "os/lock_file.hpp"
#include "program/command_line.hpp"
#include "program/flag_values.hpp"
#include "program/go_flags.hpp"
#include "program/program_description.hpp"
#include "program/rights.hpp"
#include "program/system_calls.hpp"
#include "programs/network_setup/engine_namespace.hpp"
#include "programs/network_setup/link_source.hpp"
#include "programs/network_setup/switch_process.hpp"
#include "programs/network_setup/veth_pair.hpp"

namespace network_setup {
namespace {

namespace log = base::log;
using namespace std::chrono_literals;

constexpr const char* component = "network-setup";
constexpr base::backoff pauses{.first = 100ms, .cap = 5s};
constexpr auto short_life = 1s;  // of a connection: the host closed it at once, and may do the same with the next one
constexpr auto after_short_life = 250ms;
constexpr auto settling = 1s;  // a vm-switch that has run for so long runs
constexpr auto lock_prefix = "network-setup-";
constexpr auto lock_limit = 500ms;  // what a killed network-setup was about to start may hold its lock for a moment
// Of vm-switch, which has nothing to wait for. Less than half of the time in which this program has to end: a busy
// machine takes long to end a killed process, and the interfaces are removed after it.
constexpr auto stop_limit = 2s;

constexpr auto description =
    "Sets up the network of a VM: meets host-switch over virtual sockets, connects the container engine's network "
    "namespace to the default one by a pair of interfaces (veth-rd-wsl 192.168.143.2, veth-rd-ns 192.168.143.1), and "
    "runs vm-switch in it. When the connection to host-switch ends it meets the next one, and vm-switch goes on with "
    "it. Runs as root in the default namespace.\n\n"
    "Under systemd (SYSTEMD_EXEC_PID is set) the namespace is that of the main process of -namespace-service. "
    "Otherwise it is made, and unshare --pid --mount-proc --fork --propagation slave ARGUMENT runs in it, with its "
    "process id in /run/wsl-init.pid.";

// For interfaces and addresses, and to enter namespaces.
constexpr std::array<os::capability, 2> rights{{{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}}};

bool is_run_by_systemd() { return ::getenv("SYSTEMD_EXEC_PID") != nullptr; }  // NOLINT(concurrency-mt-unsafe)

async::task<> wait_for_end(switch_process* running) { co_await running->ended(); }
async::task<> wait_for_end(os::end_watch* watched) { co_await watched->ended(); }
async::task<> first_end(switch_process* running, os::end_watch* watched) {
  co_await async::first_of(wait_for_end(running), wait_for_end(watched));
}

}  // namespace

program::about network_setup::info() const { return {.name = component, .description = description}; }

void network_setup::declare(program::flag_set& flags) {
  flags.add("trace-packets", tracing_, "Passed on to vm-switch.");
  flags.add("tap-interface", tap_, links::tap_name, "Passed on to vm-switch: the `name` of the tap interface.");
  flags.add("tap-mac-address", mac_, links::tap_mac, "Passed on to vm-switch: the `address` of the tap interface.");
  flags.add("subnet", subnet_, links::tap_subnet, "Passed on to vm-switch: the virtual network as a `CIDR`.");
  flags.add("mtu", mtu_, links::tap_mtu, "Passed on to vm-switch: the largest packet in `bytes`, 576 to 65520.");
  flags.add("tap-queue", queue_length_, links::tap_queue_length,
            "Passed on to vm-switch: the `packets` that may wait in the tap interface, 1 to 100000.");
  flags.add("dhcp-script", script_, "Passed on to vm-switch: the `file` that udhcpc runs.");
  flags.add("vm-switch-path", switch_path_, program::absolute_path, "The `file` of the program vm-switch. Required.");
  flags.add("vm-switch-logfile", switch_log_, "The log `file` of vm-switch; empty: its own default.");
  flags.add("unshare-arg", unshare_argument_, "The `program` that runs in the new namespace. Not with systemd.");
  flags.add("namespace-service", service_, "With systemd: the `service` whose namespace it is.");
  flags.add("connect", connect_, links::link_url::parse,
            "The `URL` of host-switch: vsock://CID, handshake:///path, unix:///path (where it listens) or fd://N.");
  flags.add("pid-file", pid_file_, program::absolute_path, "The `file` for the process id of unshare.");
}

base::result<> network_setup::check(const program::command_line& given) {
  passes_mtu_ = given.is_set("mtu");
  passes_queue_length_ = given.is_set("tap-queue");
  has_systemd_ = is_run_by_systemd();
  if (switch_path_.empty()) return base::fail("-vm-switch-path is required");
  if (!has_systemd_ && unshare_argument_.empty()) return base::fail("-unshare-arg is required without systemd");
  return {};
}

program::rights network_setup::needs() const {
  return {{{rights[0], "there are no interfaces"},
           {rights[1], "the namespace cannot be entered"},
           {{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}, "the namespace of a service is not found"},
           {{CAP_NET_RAW, "CAP_NET_RAW"}, "udhcpc gets no address"},
           {{CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"}, "udhcpc cannot renew its lease"},
           program::foreign_files},
          program::calls_of_parent({program::system_calls::of_namespaces()})};
}

base::result<> network_setup::open(const async::executor& where) {
  where_ = where;
  if (has_systemd_ && !unshare_argument_.empty()) log::warn(component, "-unshare-arg is ignored under systemd");
  if (auto may = os::check_capabilities(rights); !may) return may;
  if (auto alone = be_the_only_one(); !alone) return alone;
  if (auto removed = remove_veth_pair(); !removed) return removed;
  auto source = link_source::open(where, connect_);
  if (!source) return std::unexpected(source.error());
  source_ = std::make_unique<link_source>(std::move(*source));
  return {};
}

base::result<> network_setup::be_the_only_one() {
  struct stat here{};
  if (::stat("/proc/self/ns/net", &here) != 0) return base::fail_errno("stat /proc/self/ns/net");
  for (const auto& path : {pid_file_ + ".lock", fmt::format("/run/{}{}.lock", lock_prefix, here.st_ino)}) {
    auto lock = os::lock_file::claim(path, os::lock_file::at_end::remove, lock_limit);
    if (!lock && lock.error().code == std::errc::operation_would_block)
      return base::fail("another network-setup runs: it holds " + path);
    if (!lock) return std::unexpected(lock.error());
    locks_.push_back(std::move(*lock));
  }
  os::lock_file::remove_unheld("/run", lock_prefix);
  return {};
}

std::string network_setup::start(async::task_group& tasks) {
  tasks_ = &tasks;
  tasks.spawn("network", run());
  return "connect=" + links::to_string(connect_);
}

std::vector<std::string> network_setup::switch_command() const {
  std::vector<std::string> argv{switch_path_,     "-tap-interface", tap_,   "-tap-mac-address",
                                mac_.to_string(), "-subnet",        subnet_};
  // The original vm-switch does not know these two: pass them on only if they are given.
  if (passes_mtu_) argv.insert(argv.end(), {"-mtu", std::to_string(mtu_)});
  if (passes_queue_length_) argv.insert(argv.end(), {"-tap-queue", std::to_string(queue_length_)});
  if (!script_.empty()) argv.insert(argv.end(), {"-dhcp-script", script_});
  if (!switch_log_.empty()) argv.insert(argv.end(), {"-logfile", switch_log_});
  if (log::enabled(log::level::debug)) argv.emplace_back("-debug");
  if (tracing_) argv.emplace_back("-trace-packets");
  return argv;
}

void network_setup::end(const std::string& reason) {
  log::error(component, "ends reason=\"{}\"", reason);
  static_cast<void>(remove_veth_pair());
  locks_.clear();
  std::_Exit(program::exit_failure);
}

async::task<handshake::data_connection> network_setup::next_connection() {
  auto next = co_await source_->next();
  if (!next) end(next.error().message());
  co_return std::move(*next);
}

async::task<> network_setup::set_up_namespace() {
  auto found = has_systemd_ ? co_await engine_namespace::of_service(service_)
                            : engine_namespace::of_init(where_, unshare_argument_, pid_file_);
  if (!found) end(found.error().message());
  namespace_ = std::make_unique<engine_namespace>(std::move(*found));
  if (confines_itself()) {
    if (const auto kept = keep_capabilities(); !kept) end(kept.error().message());
    filter_calls(*tasks_);
  }
  if (const auto made = make_veth_pair(namespace_->fd()); !made) end(made.error().message());
  veth_ = std::make_unique<veth_keeper>(namespace_->fd());
  tasks_->spawn("interfaces", veth_->run(where_));
  log::info(component, "namespace ready process={}", namespace_->process());
}

async::task<> network_setup::watch_namespace() {
  const auto how = co_await namespace_->ended();
  end("the process of the namespace has ended" + (how.empty() ? "" : ": " + how));
}

async::task<> network_setup::run() {
  auto connection = co_await next_connection();
  co_await set_up_namespace();
  tasks_->spawn("namespace", watch_namespace());
  while (true) {
    co_await serve(std::move(connection));
    connection = co_await next_connection();
  }
}

// False after a pause, if it does not start.
async::task<bool> network_setup::start_switch(const handshake::data_connection& connection) {
  auto started = switch_process::start(where_, switch_command(), namespace_->fd(), connection);
  if (started) {
    switch_ = std::make_unique<switch_process>(std::move(*started));
    note_start();
    co_return true;
  }
  switch_trouble_.note(std::unexpected(started.error()));
  co_await async::sleep_for(pauses.delay(++failures_, std::random_device{}()));
  co_return false;
}

// While vm-switch ends again and again, the log has only the start of the one that goes on running.
void network_setup::note_start() {
  announced_ = std::exchange(last_settled_, false);
  if (announced_) log::info(component, "vm-switch started pid={}", switch_->pid());
}

void network_setup::note_settled() {
  if (!announced_) log::info(component, "vm-switch started pid={}", switch_->pid());
  announced_ = last_settled_ = true;
  switch_trouble_.note({});
}

async::task<> network_setup::until_either_ends(int connection) {
  auto watch = os::end_watch::open(where_, connection, os::end_of::reading);
  if (!watch) end(watch.error().message());
  if (co_await async::within(settling, first_end(&*switch_, &*watch))) co_return;
  if (!stopping_) note_settled();
  co_await first_end(&*switch_, &*watch);
}

// While the program stops, shut_down() owns switch_: the task then waits for its end, which daemon's limit brings.
async::task<> network_setup::leave_switch_to_shut_down() {
  if (stopping_) co_await async::sleep_until(async::clock::time_point::max());
}

// Hands the connection to the running vm-switch, and stops it if it does not accept it.
async::task<> network_setup::hand_over(const handshake::data_connection& connection) {
  const auto taken = co_await switch_->hand_over(connection);
  co_await leave_switch_to_shut_down();
  if (taken) co_return;
  log::warn(component, "vm-switch does not take the connection reason=\"{}\"", taken.error().message());
  co_await switch_->stop(async::clock::now() + stop_limit);
  co_await leave_switch_to_shut_down();
  switch_.reset();
}

// Waits until the connection has ended, or vm-switch has, which ends the connection too.
async::task<> network_setup::serve(handshake::data_connection connection) {
  if (switch_) co_await hand_over(connection);
  if (!switch_ && !co_await start_switch(connection)) co_return;
  const auto began = async::clock::now();
  co_await until_either_ends(connection.fd.get());
  co_await leave_switch_to_shut_down();
  if (switch_->is_running()) {
    failures_ = 0;
    log::throttled(lost_, log::level::warn, component, "connection lost");
    if (async::clock::now() - began < short_life) co_await async::sleep_for(after_short_life);
    co_return;
  }
  const int code = co_await switch_->ended();
  switch_.reset();
  ::shutdown(connection.fd.get(), SHUT_RDWR);
  failures_ = async::clock::now() - began > 30s ? 1 : failures_ + 1;
  switch_trouble_.note(base::fail("it ended with " + std::to_string(code)));
  co_await async::sleep_for(pauses.delay(failures_, std::random_device{}()));
}

async::task<> network_setup::shut_down(async::clock::time_point) {
  stopping_ = true;
  if (veth_) veth_->let_go();
  if (switch_) co_await switch_->stop(async::clock::now() + stop_limit);
  if (const auto removed = remove_veth_pair(); !removed)
    log::warn(component, "cannot remove the interfaces reason=\"{}\"", removed.error().message());
}

}  // namespace network_setup
