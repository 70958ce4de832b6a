// socket_owners: finds the kind of process that holds a listening socket, which decides whether it is published. Reads
// /proc once for each socket, and again later for uncertain ones. An owner that cannot be determined is
// owner::unknown, with the reason in `trouble`.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "os/process_facts.hpp"
#include "sources/host_sockets/classify.hpp"
#include "sources/host_sockets/engine_watch.hpp"
#include "sources/host_sockets/port_reservers.hpp"
#include "sources/host_sockets/process_table.hpp"

namespace host_sockets {

struct owner_options {
  std::vector<watched_engine> engines{};
  std::filesystem::path run = "/run";  // where nerdctl keeps its state
};

class socket_owners {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  // The sockets of the current list.
  using list_again = std::function<base::result<inode_set>()>;

  explicit socket_owners(owner_options options);

  // The owners of `sockets`, by inode; sockets that are not among them are forgotten.
  [[nodiscard]] const owner_map& find(const std::vector<netlink::diag_socket>& sockets, time_point now,
                                      const list_again& list);
  // Why some of them are unknown.
  [[nodiscard]] const std::optional<base::error>& trouble() const { return trouble_; }
  // When the next uncertain one is looked up again; max() for never.
  [[nodiscard]] time_point next_question() const;
  [[nodiscard]] const process_table& processes() const { return processes_; }

 private:
  struct doubt {
    std::size_t attempts = 0;
    time_point again{};
  };
  using reserver_map = std::map<pid_t, reserver_note>;
  [[nodiscard]] std::vector<std::uint32_t> due(const std::vector<netlink::diag_socket>& sockets, time_point now) const;
  void forget_all_but(const std::vector<netlink::diag_socket>& sockets);
  void ask(const std::vector<netlink::diag_socket>& sockets, time_point now, const list_again& list);
  void look_up(const std::vector<std::uint32_t>& inodes, const list_again& list);
  void give_up(std::uint32_t inode, const base::error& why, time_point now);
  bool identify_engines(const std::vector<netlink::diag_socket>& sockets);
  [[nodiscard]] owner classify(std::uint32_t inode);
  [[nodiscard]] owner classify_holder(pid_t pid);
  [[nodiscard]] owner classify_process(pid_t pid, const os::process_facts& process);
  [[nodiscard]] owner classify_reserver(pid_t pid, const os::process_facts& process);
  [[nodiscard]] const base::result<reserver_map>& reservers();
  void settle(std::uint32_t inode, owner found, time_point now);
  void note_trouble(const base::error& why);

  owner_options options_;
  process_table processes_;
  std::vector<engine_watch> engines_;
  owner_map known_;
  std::unordered_map<std::uint32_t, doubt> doubts_;      // of known_: uncertain ones
  std::optional<base::result<reserver_map>> reservers_;  // as read for the current lookup
  inode_set closed_;                                     // found closed during the lookup
  std::optional<base::error> trouble_, new_trouble_;
};

}  // namespace host_sockets
