// nat_rules: makes the nat tables and the relays what the wanted ports need, each time settle() is called. Owner of the
// steps: it reads the tables (netfilter::nat_tables), chooses the one for our rules (home_table) and a way for each
// port (port_ways), opens the relays (relay_ports), and changes what differs (rule_plan). Where the kernel has no nat
// table, relays listen on the ports themselves.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "async/blocking_calls.hpp"
#include "kernel/netfilter/localnet_access.hpp"
#include "kernel/netfilter/nat_tables.hpp"
#include "sinks/loopback/home_table.hpp"
#include "sinks/loopback/rejected_rules.hpp"
#include "sinks/loopback/relay_ports.hpp"
#include "sinks/loopback/rule_plan.hpp"
#include "sinks/loopback/settle_trigger.hpp"

namespace loopback {

struct nat_rules_options {
  rule_options rules{};
  relay::relay_options relay{};
  std::filesystem::path state_directory = "/var/lib/rancher-desktop-guestagent";
  std::vector<netfilter::nat_programs> programs = netfilter::find_nat_programs();
  std::chrono::milliseconds resync{30'000};  // see settle_trigger
  netfilter::legacy_watch_options legacy{};
};

// Whether a port that a live rule serves becomes wanted.
enum class adopt_live : std::uint8_t { no, yes };

class nat_rules {
 public:
  using troubles = relay_ports::troubles;

  nat_rules(const async::executor& where, nat_rules_options options);
  nat_rules(const nat_rules&) = delete;
  nat_rules& operator=(const nat_rules&) = delete;

  // Reads the tables, changes what differs, and returns the ports that are not served, with the reason. If a table
  // changes meanwhile, it starts again, a few times. Fails if a table cannot be read or changed now. It then leaves
  // everything as it is, except rules that serve no wanted port. Takes 15 s at most.
  async::task<base::result<troubles>> settle(wanted_ports& wanted, adopt_live adopt);

  // A settling in progress gives up at its first failure.
  void hurry() { ending_ = true; }
  // Removes every rule of ours from every table, then restores route_localnet. Not during a settling.
  async::task<> remove_all();

  // See ports::sink.
  [[nodiscard]] std::string_view limitation() const;

  // Returns when a settling is due, see settle_trigger.
  async::task<> changed() { co_await trigger_.due(); }

 private:
  async::task<base::result<troubles>> attempts(wanted_ports& wanted, adopt_live adopt);
  async::task<base::result<troubles>> attempt(wanted_ports& wanted, adopt_live adopt);
  async::task<way_choice> choose(const table_view& home, const wanted_ports& wanted);
  [[nodiscard]] port_holders find_holders(const table_view& home, const wanted_ports& wanted) const;
  troubles open_relays(const way_choice& ways);
  async::task<base::result<>> change_all(const table_views& views, const rule_plan* at_home);
  async::task<base::result<>> change_one(std::size_t index, const std::optional<table_view>& view,
                                         const rule_plan* at_home);
  async::task<base::result<>> change(std::size_t index, rule_plan plan);
  async::task<base::result<>> leave(std::size_t index);
  async::task<> forget_flows(std::vector<ports::port_key> keys);
  async::task<bool> is_localnet_in_use();
  async::task<> finish_localnet();
  void remove_stale(const wanted_ports& wanted);
  async::task<base::result<>> remove_once();

  nat_rules_options options_;
  netfilter::nat_tables tables_;
  netfilter::localnet_access localnet_;
  home_table home_;
  relay_ports relays_;
  rejected_rules rejected_;
  machine_state machine_;  // at the last reading
  settle_trigger trigger_;
  async::blocking_calls blocking_{2};
  bool settled_before_ = false;
  bool all_read_ = false;  // every table, in the last attempt
  bool ending_ = false;
};

}  // namespace loopback
