// nat_tool: one variant of iptables (nft or legacy): the programs that print its nat table and change it. Every run has
// a deadline and waits for a lock that another program holds.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "os/process.hpp"

namespace netfilter {

enum class nat_variant : std::uint8_t { nft, legacy, plain };  // plain: the program "iptables", of either variant
[[nodiscard]] std::string_view to_string(nat_variant variant);

struct nat_programs {
  nat_variant variant = nat_variant::nft;
  std::string save;                        // "iptables-nft-save"
  std::string restore;                     // "iptables-nft-restore"
  std::chrono::milliseconds limit{8'000};  // for one run
};

// The variants whose programs are installed, in PATH or the system's directories, with absolute paths: nft and legacy,
// or the plain one if neither is.
[[nodiscard]] std::vector<nat_programs> find_nat_programs();

class nat_tool {
 public:
  explicit nat_tool(nat_programs programs) : programs_(std::move(programs)) {}

  [[nodiscard]] nat_variant variant() const { return programs_.variant; }
  // False after they were removed: find_nat_programs() found them.
  [[nodiscard]] bool is_installed() const;

  // The selected part of the table. Fails if the program did not print all of it: an unreadable table is not an empty
  // one. With iptables-legacy call it for an existing table only; the program would create it.
  async::task<base::result<nat_table>> read(rule_filter wanted) const;
  // These chains alone, without reading the rest of the table (nft). They must exist.
  async::task<base::result<nat_table>> read_chains(std::vector<std::string> chains, std::string table = "nat") const;

  // Makes all of the changes or none. Returns the process that made them, for netlink::change_watch::ignore(). Fails
  // with std::errc::resource_unavailable_try_again if another program holds the lock.
  async::task<base::result<pid_t>> change(std::vector<std::string> lines, std::string table = "nat") const;

 private:
  async::task<base::result<os::process_output>> restore(std::vector<std::string> lines, std::string table) const;

  nat_programs programs_;
};

// The line of its input that iptables-restore rejects, counted from 1; nothing if its message names no line.
[[nodiscard]] std::optional<std::size_t> rejected_line(std::string_view message);

}  // namespace netfilter
