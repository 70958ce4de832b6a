// process_table: the processes of this machine, as far as /proc shows them, and which listening sockets they hold.
// Remembered by pid and start time, so that a process is read once and not for each socket of another one.
//
// A process that has gone is no error. Everything else that keeps a process from being read is: its sockets are
// unknown then, and unreadable() names it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_set>
#include <vector>

#include "base/result.hpp"

namespace host_sockets {

using inode_set = std::unordered_set<std::uint32_t>;

class process_table {
 public:
  // Takes up what /proc lists now. Fails where that is not all: processes are hidden.
  base::result<> refresh();

  // Looks for the processes that hold these sockets: those first that were not there before, then `first`, then those
  // that held one that was looked for lately, then all others, until each socket has a holder. Before it reads all
  // others it asks `still_listed` to take out the sockets that have closed meanwhile.
  void search(inode_set wanted, const std::vector<pid_t>& first, const std::function<void(inode_set&)>& still_listed);

  // Reads all processes: finds every holder, not the first one alone.
  void search_all(inode_set wanted);

  // The processes that search() found to hold it; empty: none.
  [[nodiscard]] const std::vector<pid_t>& holders(std::uint32_t inode) const;
  // What kept processes from being read in the last search(), by the first of them.
  [[nodiscard]] const std::optional<base::error>& unreadable() const { return unreadable_; }
  [[nodiscard]] bool contains(pid_t pid, std::uint64_t start) const;
  // Forgets what sockets that are not in `listed` were held by.
  void forget_all_but(const inode_set& listed);

  // For tests: how many processes' descriptors were read, ever.
  [[nodiscard]] std::uint64_t reads() const { return reads_; }  // NOLINT: what a search costs, without a clock

 private:
  struct process {
    std::uint64_t entry = 0;  // the inode of its directory in /proc: another one is another process
    std::uint64_t start = 0;
    std::uint64_t seen_in = 0, read_in = 0;
    std::size_t sockets = 0;  // of those that were looked for
  };
  void note_process(pid_t pid, std::uint64_t entry);
  void begin_search(inode_set wanted);
  void read(pid_t pid, process& p);
  void read_if(const std::function<bool(const process&)>& condition);
  void read_first(const std::vector<pid_t>& first);
  void read_rest();

  std::map<pid_t, process> processes_;
  std::map<std::uint32_t, std::vector<pid_t>> holders_;
  std::vector<pid_t> lately_;  // that held a socket that was looked for, the latest first
  inode_set wanted_;
  std::size_t missing_ = 0;  // of wanted_: without a holder yet
  std::uint64_t refreshes_ = 0, searches_ = 0, reads_ = 0;
  std::optional<base::error> unreadable_;
};

}  // namespace host_sockets
