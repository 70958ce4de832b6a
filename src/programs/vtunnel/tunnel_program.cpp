#include "programs/vtunnel/tunnel_program.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/vm_sockets.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "async/blocking_calls.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/read_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "program/command_line.hpp"
#include "program/flag_values.hpp"
#include "program/go_flags.hpp"
#include "program/program_description.hpp"
#include "program/rights.hpp"
#include "programs/vtunnel/config_codec.hpp"
#include "programs/vtunnel/tunnel_end.hpp"

namespace vtunnel {
namespace {

constexpr std::chrono::milliseconds patience{2'000};  // for reading the configuration

constexpr auto description =
    "Carries TCP connections from a virtual machine to its host over virtual sockets (AF_VSOCK). vtunnel peer runs in "
    "the VM, vtunnel host on the host, both with the same configuration.\n\n"
    "For each tunnel the peer listens on peer-address:peer-port. Each connection there becomes one virtual socket to "
    "vsock-host-port of the host, and there one connection to upstream-server-address. Ends of streams and resets are "
    "passed on both ways. The host end connects to handshake-port once a second. It opens the tunnel when the peer has "
    "answered with the seed phrase of vtunnel. unix:/path may replace either port, where a VMM offers virtual sockets "
    "as UNIX sockets.\n\n"
    "    tunnel:\n"
    "      - name: tcpTunnel\n"
    "        handshake-port: 9090\n"
    "        vsock-host-port: 8989\n"
    "        peer-address: 127.0.0.1\n"
    "        peer-port: 3040\n"
    "        upstream-server-address: 127.0.0.1:4444\n\n"
    "upstream-server-address is IP:PORT or unix:/path. SIGTERM and SIGINT end the program with 0.";

base::result<std::uint32_t> context_id(std::string_view text) {
  const auto cid = base::parse_number<std::uint32_t>(text);
  if (!cid || *cid == 0 || *cid == VMADDR_CID_ANY) return base::fail("not a context id from 1 to 4294967294");
  return *cid;
}

base::result<std::vector<tunnel>> read_config(const std::string& path) {
  const auto text = async::call_within(patience, [path] { return base::read_file(path); });
  if (!text && text.error().code == std::errc::timed_out)
    return base::fail(base::printable(path) + ": its file system does not answer");
  if (!text) return std::unexpected(text.error());
  auto parsed = parse_config(*text);
  if (!parsed) return base::fail(base::printable(path) + ": " + parsed.error().message());
  return parsed;
}

// A VMM's UNIX socket has no client port to check.
base::result<> find_no_unix_socket(const std::vector<tunnel>& tunnels) {
  for (const auto& t : tunnels)
    if (std::holds_alternative<std::string>(t.data))
      return base::fail("-require-privileged-port: vsock-host-port of tunnel " + t.name + " is a UNIX socket");
  return {};
}

}  // namespace

tunnel_program::tunnel_program() : host_cid_(VMADDR_CID_HOST) {}

program::about tunnel_program::info() const {
  return {.name = "vtunnel", .description = description, .commands = {{"peer"}, {"host"}}};
}

void tunnel_program::declare(program::flag_set& flags) {
  flags.add("config-path", config_, program::path, "The configuration `file`.");
  flags.add("host-cid", host_cid_, context_id,
            "For vtunnel peer: the context `id` of the host end. 2 is the host, 1 this machine itself.");
  flags.add("guest-cid", guest_cid_, context_id,
            "For vtunnel host: the context `id` of the peer's VM. 1 is this machine itself.");
  flags.add("require-privileged-port", root_only_,
            "For vtunnel host: accept connections only from AF_VSOCK ports below 1024, which only root in the VM may "
            "use. At most 512 at a time.");
}

base::result<> tunnel_program::check(const program::command_line& given) {
  is_peer_ = given.command() == "peer";
  const auto foreign = is_peer_ ? std::vector{"guest-cid", "require-privileged-port"} : std::vector{"host-cid"};
  for (const auto* flag : foreign)
    if (given.is_set(flag)) return base::fail(fmt::format("-{} is not for vtunnel {}", flag, given.command()));
  return {};
}

program::rights tunnel_program::needs() const {
  program::rights needed{{program::low_ports, program::foreign_files}, program::calls_of_service()};
  if (is_peer_)
    needed.capabilities.push_back({{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, "no rule refuses other users at peer-port"});
  return needed;
}

base::result<> tunnel_program::open(const async::executor&) {
  auto read = read_config(config_);
  if (!read) return std::unexpected(read.error());
  if (auto done = root_only_ ? find_no_unix_socket(*read) : base::result<>{}; !done) return done;
  tunnels_ = read->size();
  end_ = std::make_unique<tunnel_end>(std::move(*read), is_peer_ ? host_cid_ : guest_cid_, root_only_);
  return is_peer_ ? end_->open_peer() : base::result<>{};
}

std::string tunnel_program::start(async::task_group& tasks) {
  tasks.spawn("tunnels", is_peer_ ? end_->run_peer() : end_->run_host());
  return fmt::format("side={} tunnels={}", is_peer_ ? "peer" : "host", tunnels_);
}

std::string tunnel_program::summary() const {
  return fmt::format("connections={} accepted={}", end_->count().connections.load(), end_->count().accepted.load());
}

}  // namespace vtunnel
