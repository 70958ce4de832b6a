// engine_watch: which processes are a watched engine's: the server of the engine's socket, and its children
// (docker-proxy). Judged by descent and not by name: a second dockerd of the VM is a program like any other, and so is
// a container that calls itself dockerd. Grandchildren are not the engine's: containers are among them.
//
// A program with an engine's name that has just started may be about to serve the socket. Until it does, or for half a
// minute, may_become() says so.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/netlink/sock_diag.hpp"
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

  // Finds the server anew if the known one has gone. True if it is another one than before. `sockets`: where an API on
  // TCP is looked for.
  bool identify(process_table& processes, const std::vector<netlink::diag_socket>& sockets);

  [[nodiscard]] bool owns(pid_t pid, const process_facts& process) const;
  [[nodiscard]] bool may_become(const process_facts& process) const;
  [[nodiscard]] bool has_name(const process_facts& process) const;
  [[nodiscard]] std::optional<pid_t> server_pid() const { return server_ ? std::optional(server_->pid) : std::nullopt; }
  // Why it is not known which process serves the engine's socket.
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
  [[nodiscard]] bool may_serve(pid_t pid, const process_facts& process) const;
  [[nodiscard]] base::result<std::optional<pid_t>> find_on_tcp(const process_table& processes,
                                                               const std::vector<netlink::diag_socket>& sockets) const;

  watched_engine what_;
  std::optional<server> server_;
  std::optional<base::error> trouble_;
};

}  // namespace host_sockets
