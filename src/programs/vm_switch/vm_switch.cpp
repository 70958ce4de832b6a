#include "programs/vm_switch/vm_switch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <expected>
#include <memory>
#include <optional>
#include <utility>

#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "kernel/netlink/interface.hpp"
#include "kernel/netlink/link_codec.hpp"
#include "link/link_control.hpp"
#include "link/tap_device.hpp"
#include "link/tap_values.hpp"
#include "os/signals.hpp"
#include "os/socket_facts.hpp"
#include "program/command_line.hpp"
#include "program/go_flags.hpp"
#include "program/program_description.hpp"
#include "program/rights.hpp"
#include "programs/vm_switch/dhcp_client.hpp"
#include "programs/vm_switch/frame_pump.hpp"

namespace vm_switch {
namespace {

namespace log = base::log;

constexpr const char* component = "vm-switch";
constexpr auto description =
    "Carries the VM's Ethernet frames between a tap interface, which it makes, and host-switch. It runs in the "
    "container engine's network namespace. network-setup starts it, with the connection to host-switch as an open "
    "descriptor.\n\n"
    "It does not start if the interface exists. It sets the MAC address, also when another program changes it, brings "
    "the interface and lo up, and runs udhcpc -f -i INTERFACE [-s SCRIPT], again when that ends. SIGUSR1 switches the "
    "log of packets on and off.";

// Moves the descriptor to another number, so that child processes do not inherit it.
base::result<base::unique_fd> take_over(int number, int type) {
  if (os::socket_type(number) != type)
    return base::fail(fmt::format("descriptor {} is not the socket that it should be", number));
  base::unique_fd copy(::fcntl(number, F_DUPFD_CLOEXEC, 0));
  if (!copy) return base::fail_errno(fmt::format("descriptor {}", number));
  ::close(number);
  return copy;
}

std::optional<int> number_in_environment(const char* name) {
  const char* text = ::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets it
  return text == nullptr ? std::nullopt : base::parse_number<int>(text);
}

}  // namespace

program::about vm_switch::info() const { return {.name = component, .description = description}; }

void vm_switch::declare(program::flag_set& flags) {
  flags.add("trace-packets", tracing_, "Write a line to the log for each packet.");
  flags.add("tap-interface", tap_, links::tap_name, "The `name` of the tap interface.");
  flags.add("tap-mac-address", mac_, links::tap_mac,
            "Its MAC `address`. The DHCP server gives 192.168.127.2 to the default.");
  flags.add("subnet", subnet_, links::tap_subnet,
            "The virtual network as a `CIDR`; accepted for the original's callers.");
  flags.add("vsock-fd", link_fd_, "The `number` of the descriptor that is connected to host-switch.");
  flags.add("dhcp-script", script_, "The `file` that udhcpc runs; empty: its own default.");
  flags.add("mtu", mtu_, links::tap_mtu, "The largest packet in `bytes`, 576 to 65520.");
  flags.add("tap-queue", queue_length_, links::tap_queue_length,
            "The `packets` that may wait in the tap interface, 1 to 100000.");
}

program::rights vm_switch::needs() const {
  return {{{{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, "there is no tap interface"},
           {{CAP_NET_RAW, "CAP_NET_RAW"}, "udhcpc gets no address"},
           {{CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"}, "udhcpc cannot renew its lease"},
           program::foreign_files},
          program::calls_of_parent()};
}

base::result<> vm_switch::open(const async::executor& where) {
  where_ = where;
  if (auto taken = take_over_descriptors(where); !taken) return taken;
  return open_tap(where);
}

base::result<> vm_switch::take_over_descriptors(const async::executor& where) {
  auto link = take_over(link_fd_, SOCK_STREAM);
  if (!link) return std::unexpected(link.error());
  first_link_ = std::move(*link);
  asks_offload_ = number_in_environment(links::offload_variable) == 1;
  const auto number = number_in_environment(links::control_variable);
  if (!number) return {};
  auto control = take_over(*number, SOCK_SEQPACKET);
  if (!control) return std::unexpected(control.error());
  control_ = std::make_unique<async::asio::posix::stream_descriptor>(where, control->release());
  return {};
}

base::result<> vm_switch::open_tap(const async::executor& where) {
  auto tap = links::tap_device::open(tap_);
  if (!tap) return std::unexpected(tap.error());
  const netlink::interface_change wanted{
      .mac = mac_, .mtu = mtu_, .queue_length = static_cast<unsigned>(queue_length_)};
  if (auto done = netlink::change_interface(tap_, wanted); !done) return done;
  for (const auto& name : {tap_, std::string("lo")})
    if (auto done = netlink::change_interface(name, {.up = true}); !done) return done;
  const auto later = [where](auto call) { boost::asio::post(where, std::move(call)); };
  pump_ = std::make_unique<frame_pump>(
      std::move(*tap), [this, later](std::string why) { later([this, why = std::move(why)] { on_lost(why); }); },
      [later](std::string why) { later([why = std::move(why)] { end(why); }); });
  pump_->trace(tracing_);
  return {};
}

std::string vm_switch::start(async::task_group& tasks) {
  dhcp_ = std::make_unique<dhcp_client>(where_, tap_, script_, [this] { return pump_->has_link(); });
  pump_->attach(std::move(first_link_), asks_offload_);
  tasks.spawn("interface", keep_mac());
  tasks.spawn("trace", toggle_trace());
  tasks.spawn("dhcp", dhcp_->run());
  tasks.spawn("dhcp renewal", dhcp_->renew_regularly());
  if (control_) tasks.spawn("links", wait_for_links());
  return fmt::format("tap={} mac={} mtu={} keeps_tap={}", tap_, mac_.to_string(), mtu_, control_ != nullptr);
}

void vm_switch::end(const std::string& reason) {
  log::error(component, "ends reason=\"{}\"", reason);
  std::_Exit(program::exit_failure);
}

void vm_switch::on_lost(const std::string& reason) {
  if (!control_) end("the connection to host-switch has ended: " + reason);
  log::throttled(lost_, log::level::warn, component, "connection lost reason=\"{}\"", reason);
}

async::task<> vm_switch::wait_for_links() {
  while (true) {
    co_await control_->async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
    co_await async::check_cancelled();
    auto next = links::take_link(control_->native_handle());
    if (!next) end("network-setup has gone: " + next.error().message());
    auto& link = *next;
    if (!link) continue;
    const bool offers = link->asks_offload;
    pump_->attach(std::move(link->fd), offers);
    log::throttled(connections_, log::level::info, component, "new connection offload_offered={}", offers);
    dhcp_->renew_soon();
  }
}

void vm_switch::correct_mac() {
  const auto found = netlink::find_interface(tap_);
  if (!found || found->mac == mac_) return;
  const auto done = netlink::change_interface(tap_, {.mac = mac_});
  log::throttled(mac_changes_, log::level::warn, component,
                 "another program changed the MAC address interface={} to={} restored={}", tap_, found->mac.to_string(),
                 done.has_value());
  if (done) dhcp_->restart();
}

async::task<> vm_switch::keep_mac() {
  auto watch = netlink::interface_watch::open(where_);
  if (!watch) {
    log::warn(component, "cannot watch the interface reason=\"{}\"", watch.error().message());
    co_return;
  }
  constexpr std::chrono::milliseconds pause{100};  // between two corrections
  while (true) {
    correct_mac();
    co_await watch->changed();
    co_await async::sleep_for(pause);
  }
}

async::task<> vm_switch::toggle_trace() {
  while (true) {
    co_await os::user_signal();
    tracing_ = !tracing_;
    pump_->trace(tracing_);
    log::info(component, "packet trace on={}", tracing_);
  }
}

std::string vm_switch::summary() const {
  const auto all = pump_->counters();
  return fmt::format("frames_in={} frames_out={} bytes_in={} bytes_out={} dropped={} refused={}", all.link.frames_in,
                     all.link.frames_out, all.link.bytes_in, all.link.bytes_out, all.link.dropped,
                     all.refused + all.not_plain + all.link.oversized);
}

}  // namespace vm_switch
