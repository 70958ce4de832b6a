// nat_rules: the agent's rules in the machine's nat table, in whichever variant of iptables the engine publishes, the
// relays behind them, and route_localnet on the peers' devices while a rule leads to a loopback address. Makes them
// what is wanted each time it is asked to. Without an engine the first variant that the kernel has will do; where it
// has none, relays listen on the ports themselves.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "async/blocking_calls.hpp"
#include "async/condition.hpp"
#include "base/episode.hpp"
#include "kernel/netfilter/legacy_watch.hpp"
#include "kernel/netfilter/localnet_guard.hpp"
#include "kernel/netfilter/route_localnet.hpp"
#include "kernel/netlink/change_watch.hpp"
#include "sinks/loopback/engine_rules.hpp"
#include "sinks/loopback/rejected_rules.hpp"
#include "sinks/loopback/relay_ports.hpp"
#include "sinks/loopback/rule_plan.hpp"
#include "sinks/loopback/table_reader.hpp"

namespace loopback {

struct nat_rules_options {
  rule_options rules{};
  relay::relay_options relay{};
  std::filesystem::path state_directory = "/var/lib/rancher-desktop-guestagent";
  std::vector<netfilter::nat_programs> programs = netfilter::find_nat_programs();
  // Between looks at the chains in question when nothing announced a change. Every tenth reads the tables whatever it
  // is.
  std::chrono::milliseconds resync{30'000};
  netfilter::legacy_watch_options legacy{};
};

// Whether ports whose live rules were found, and that were not asked for yet, become wanted.
enum class adopt_live : std::uint8_t { no, yes };

class nat_rules {
 public:
  using troubles = relay_ports::troubles;

  nat_rules(const async::executor& where, nat_rules_options options);
  nat_rules(const nat_rules&) = delete;
  nat_rules& operator=(const nat_rules&) = delete;

  // Reads the tables, changes what differs, and answers the ports that are not served, with the reason. A table that
  // changes meanwhile is read and planned again, a few times. Fails where it cannot be read or changed now, and leaves
  // everything as it is but for rules that serve nothing any more; takes 15 s at most.
  async::task<base::result<troubles>> settle(wanted_ports& wanted, adopt_live adopt);

  // A settling that is under way gives up at its first failure.
  void hurry() { ending_ = true; }
  // Takes every rule of ours out of every table, then restores route_localnet. Not while a settling is under way.
  async::task<> remove_all();

  // Returns when another program may have changed the tables or the machine's addresses. While an engine works through
  // many ports: twice a second at most, and more seldom where a settling takes long. While nothing is wanted and no
  // rule of ours is there no notice matters: the tables are compared at each resync alone.
  async::task<> changed();

 private:
  using tables = std::vector<base::result<table_ptr>>;  // one for each variant
  async::task<base::result<troubles>> attempts(wanted_ports& wanted, adopt_live adopt);
  async::task<base::result<troubles>> attempt(wanted_ports& wanted, adopt_live adopt);
  async::task<tables> read();
  async::task<base::result<>> change(table_reader& table, const rule_plan& plan);
  async::task<base::result<>> change_all(const tables& all, const rule_plan* at_home);
  async::task<base::result<>> remove_once();
  async::task<> forget_flows(const rule_plan& plan);
  base::result<> choose_home(const tables& all, const wanted_ports& wanted);
  troubles open_relays(const way_choice& ways);
  [[nodiscard]] port_holders find_holders(const engine_rules& engines, const wanted_ports& wanted) const;
  async::task<base::result<>> enable_localnet();
  async::task<base::result<>> switch_localnet_on(std::set<std::string> devices);
  async::task<> finish_localnet();
  void remove_stale(const wanted_ports& wanted);
  async::task<> changed_at_all();
  void engage();
  async::task<> wait_engaged();
  async::task<> rules_changed();
  async::task<> legacy_changed();
  [[nodiscard]] bool watches_legacy() const;
  [[nodiscard]] bool nft_or_machine_changed() const;

  nat_rules_options options_;
  std::optional<netlink::change_watch> watch_;
  netfilter::legacy_watch legacy_;
  std::vector<table_reader> tables_;  // one for each variant
  relay_ports relays_;
  netfilter::route_localnet localnet_;
  netfilter::localnet_guard localnet_guard_;  // up before the setting, gone behind it
  async::blocking_calls blocking_{2};
  std::optional<std::size_t> home_;  // the variant that has our rules
  bool engine_at_home_ = false;
  rejected_rules rejected_;
  base::log::episode localnet_trouble_;
  bool localnet_on_ = true;  // until it is known to be off: a crashed run may have left it on
  bool read_before_ = false;
  bool ending_ = false;
  bool all_read_ = false;     // every table, in the last attempt
  bool idle_ = false;         // nothing is wanted, and no table has a rule of ours
  async::condition engaged_;  // no longer idle
  async::clock::duration settling_took_{};
  async::clock::time_point notified_{};
  machine_state seen_machine_;  // when the tables were read last
};

}  // namespace loopback
