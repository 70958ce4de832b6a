// engine_watch: identifies the processes of a watched engine: the server of the engine's socket, and its children
// (docker-proxy). Descent decides, not the name: a second dockerd of the VM is a program like any other, and so is a
// container that is named dockerd. Grandchildren do not count: containers are among them.
//
// A program with an engine's name that has just started may be about to serve the socket. may_become() is true for it
// until it serves, or for half a minute.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/netlink/sock_diag.hpp"
#include "os/process_facts.hpp"
#include "sources/host_sockets/process_table.hpp"

namespace host_sockets {

struct watched_engine {
  std::filesystem::path socket{};       // empty: the engine is on TCP
  std::optional<net::endpoint> tcp{};   // the address of its API, if it is one of this machine's
  std::vector<std::string> programs{};  // the kernel's names of its processes
};

class engine_watch {
 public:
  explicit engine_watch(watched_engine what) : what_(std::move(what)) {}

  // Finds the server again if the known one has gone. True if it has changed. `sockets`: searched for an API on TCP.
  bool identify(process_table& processes, const std::vector<netlink::diag_socket>& sockets);

  [[nodiscard]] bool owns(pid_t pid, const os::process_facts& process) const;
  [[nodiscard]] bool may_become(const os::process_facts& process) const;
  [[nodiscard]] bool has_name(const os::process_facts& process) const;
  [[nodiscard]] std::optional<pid_t> server_pid() const { return server_ ? std::optional(server_->pid) : std::nullopt; }
  // Why the server of the engine's socket is unknown.
  [[nodiscard]] const std::optional<base::error>& trouble() const { return trouble_; }

 private:
  struct server {
    pid_t pid = 0;
    std::uint64_t start = 0;
    bool operator==(const server&) const = default;
  };
  [[nodiscard]] base::result<std::optional<server>> find(process_table& processes,
                                                         const std::vector<netlink::diag_socket>& sockets) const;
  [[nodiscard]] base::result<std::optional<server>> find_activated(process_table& processes, pid_t init) const;
  [[nodiscard]] bool may_serve(pid_t pid, const os::process_facts& process) const;
  [[nodiscard]] base::result<std::optional<pid_t>> find_on_tcp(const net::endpoint& api, const process_table& processes,
                                                               const std::vector<netlink::diag_socket>& sockets) const;

  watched_engine what_;
  std::optional<server> server_;
  std::optional<base::error> trouble_;
};

}  // namespace host_sockets
