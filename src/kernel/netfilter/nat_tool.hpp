// nat_tool: one variant of iptables (nft or legacy), as the pair of programs that print its nat table and change it.
// Every run has a deadline; a lock that another program holds is waited for.
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

enum class nat_variant : std::uint8_t { nft, legacy, plain };  // plain: whatever "iptables" is
[[nodiscard]] std::string_view to_string(nat_variant variant);

struct nat_programs {
  nat_variant variant = nat_variant::nft;
  std::string save;                        // "iptables-nft-save"
  std::string restore;                     // "iptables-nft-restore"
  std::chrono::milliseconds limit{8'000};  // for one run
};

// The variants whose programs are installed, looked for in PATH and the system's directories: nft and legacy, or the
// plain one where neither is. With absolute paths.
[[nodiscard]] std::vector<nat_programs> find_nat_programs();

class nat_tool {
 public:
  explicit nat_tool(nat_programs programs) : programs_(std::move(programs)) {}

  [[nodiscard]] nat_variant variant() const { return programs_.variant; }

  // The table, as far as it is wanted. Fails where the program did not print all of it: a table that cannot be read is
  // not an empty one. Of iptables-legacy only for a table that exists; the program would create it.
  async::task<base::result<nat_table>> read(rule_filter wanted) const;
  // These chains alone, for which the rest of the table is not read (nft). They have to be there.
  async::task<base::result<nat_table>> read_chains(std::vector<std::string> chains, std::string table = "nat") const;

  // All of the changes or none. Answers the process that made them, for netlink::change_watch::ignore(). Fails with
  // std::errc::resource_unavailable_try_again when the lock was not to be had.
  async::task<base::result<pid_t>> change(std::vector<std::string> lines, std::string table = "nat") const;

 private:
  async::task<base::result<os::process_output>> restore(std::vector<std::string> lines, std::string table) const;

  nat_programs programs_;
};

// The line of its input of which iptables-restore complains, counted from 1; nullopt if it names none.
[[nodiscard]] std::optional<std::size_t> line_complained_of(std::string_view message);

}  // namespace netfilter
