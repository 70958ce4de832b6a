#include "sources/host_sockets/engine_watch.hpp"

#include <algorithm>
#include <chrono>
#include <expected>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kernel/netlink/sock_diag_codec.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "os/process_facts.hpp"
#include "sources/host_sockets/engine_server.hpp"
#include "sources/host_sockets/process_table.hpp"

namespace host_sockets {
namespace {

constexpr std::chrono::seconds longest_start{30};  // of an engine, until it serves its socket

// Listens in the engine's place, and passes the socket on when the first client comes.
bool is_activator(const os::process_facts& process) { return process.name == "systemd"; }

}  // namespace

base::result<std::optional<pid_t>> engine_watch::find_on_tcp(const net::endpoint& api, const process_table& processes,
                                                             const std::vector<netlink::diag_socket>& sockets) const {
  const auto serves = [&api](const netlink::diag_socket& s) {
    return s.protocol == net::protocol::tcp && s.at.port == api.port && (s.at.ip.is_unspecified() || s.at.ip == api.ip);
  };
  const auto at = std::ranges::find_if(sockets, serves);
  if (at == sockets.end()) return std::nullopt;
  for (const auto pid : processes.holders(at->inode)) {
    const auto facts = os::read_process_facts(pid);
    if (!facts) return std::unexpected(facts.error());
    const auto& process = *facts;
    if (process && may_serve(pid, *process)) return pid;
  }
  return std::nullopt;
}

// In a container the engine itself may be process 1; elsewhere that is an init system.
bool engine_watch::may_serve(pid_t pid, const os::process_facts& process) const {
  return !is_activator(process) && (pid != 1 || has_name(process));
}

base::result<std::optional<engine_watch::server>> engine_watch::find_activated(process_table& processes,
                                                                               pid_t init) const {
  const auto bound = find_bound_socket(what_.socket, init);
  if (!bound) return std::unexpected(bound.error());
  const auto& inode = *bound;
  if (!inode) return base::fail("the server of " + what_.socket.string() + " is not known: another one listens for it");
  processes.search_all({*inode});
  for (const auto pid : processes.holders(*inode)) {
    const auto facts = os::read_process_facts(pid);
    if (!facts) return std::unexpected(facts.error());
    const auto& process = *facts;
    if (process && may_serve(pid, *process)) return server{pid, process->start};
  }
  if (const auto& trouble = processes.unreadable()) return std::unexpected(*trouble);
  return std::nullopt;
}

base::result<std::optional<engine_watch::server>> engine_watch::find(
    process_table& processes, const std::vector<netlink::diag_socket>& sockets) const {
  std::optional<pid_t> pid;
  if (what_.socket.empty()) {
    if (!what_.tcp) return std::nullopt;
    const auto holder = find_on_tcp(*what_.tcp, processes, sockets);
    if (!holder) return std::unexpected(holder.error());
    pid = *holder;
  } else {
    const auto found = find_server(what_.socket);
    if (!found) return std::unexpected(found.error());
    const auto& claimed = *found;
    if (claimed && claimed->pid == 0)
      return base::fail("the server of " + what_.socket.string() +
                        " is not known: this pid namespace does not show it");
    if (claimed) pid = claimed->pid;
  }
  if (!pid) return std::nullopt;
  const auto facts = os::read_process_facts(*pid);
  if (!facts) return std::unexpected(facts.error());
  const auto& process = *facts;
  if (!process) return std::nullopt;
  if (!may_serve(*pid, *process)) return find_activated(processes, *pid);
  return server{*pid, process->start};
}

bool engine_watch::identify(process_table& processes, const std::vector<netlink::diag_socket>& sockets) {
  if (server_ && processes.contains(server_->pid, server_->start)) return false;
  const auto before = std::exchange(server_, std::nullopt);
  trouble_.reset();
  auto found = find(processes, sockets);
  if (found)
    server_ = *found;
  else
    trouble_ = std::move(found.error());
  return server_ && server_ != before;
}

bool engine_watch::owns(pid_t pid, const os::process_facts& process) const {
  return server_ && ((pid == server_->pid && process.start == server_->start) || process.parent == server_->pid);
}

bool engine_watch::has_name(const os::process_facts& process) const {
  return std::ranges::find(what_.programs, process.name) != what_.programs.end();
}

bool engine_watch::may_become(const os::process_facts& process) const {
  return !server_ && has_name(process) && os::age_of(process.start) < longest_start;
}

}  // namespace host_sockets
