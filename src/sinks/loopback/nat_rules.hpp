// nat_rules: the agent's rules in the machine's nat table, in whichever variant of iptables the engine publishes, and
// route_localnet on the tap interface, which goes with the pair. Makes them what is wanted each time it is asked to.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "netfilter/legacy_watch.hpp"
#include "netlink/change_watch.hpp"
#include "sinks/loopback/route_localnet.hpp"
#include "sinks/loopback/rule_plan.hpp"
#include "sinks/loopback/table_reader.hpp"

namespace loopback {

struct nat_rules_options {
  rule_options rules{};
  std::filesystem::path state_directory = "/var/lib/rancher-desktop-guestagent";
  std::vector<nat_programs> programs = find_nat_programs();
  // Between looks at the chains in question when nothing announced a change. Every tenth reads the tables whatever it
  // is.
  std::chrono::milliseconds resync{30'000};
  netfilter::legacy_watch_options legacy{};
};

// Whether ports whose live rules were found, and that nobody has asked for yet, become wanted.
enum class adopt_live : std::uint8_t { no, yes };

class nat_rules {
 public:
  nat_rules(const io::executor& where, nat_rules_options options);
  nat_rules(const nat_rules&) = delete;
  nat_rules& operator=(const nat_rules&) = delete;

  // Reads the tables, changes what differs, and answers the ports that need a relay. A table that changes meanwhile is
  // read and planned again, a few times. Fails where it cannot be read or changed now; takes 15 s at most.
  io::task<base::result<std::vector<relayed_port>>> settle(wanted_ports& wanted, adopt_live adopt);

  // Takes every rule of ours out of every table, then restores route_localnet.
  io::task<> remove_all();

  // Returns when the tables, or the machine's addresses, may have changed by somebody else's doing; no more often than
  // twice a second while an engine works through many ports.
  io::task<> changed();

 private:
  using tables = std::vector<table_ptr>;
  io::task<base::result<std::vector<relayed_port>>> attempts(wanted_ports& wanted, adopt_live adopt);
  io::task<base::result<tables>> read();
  io::task<base::result<>> change(table_reader& table, const rule_plan& plan);
  io::task<base::result<>> change_all(const tables& all, const rule_plan* at_home);
  io::task<base::result<>> remove_once();
  void choose_home(const tables& all, const wanted_ports& wanted);
  void forget_flows(const rule_plan& plan) const;
  void blame(const rule_plan& plan, const base::error& why);
  void prepare_pair(machine_state& machine);
  void conclude_pair(bool wanted);
  void complain(const base::result<>& about_localnet);
  io::task<> changed_at_all();
  io::task<> rules_changed();
  io::task<> legacy_changed();
  [[nodiscard]] bool nft_or_machine_changed() const;

  nat_rules_options options_;
  std::optional<netlink::change_watch> watch_;
  netfilter::legacy_watch legacy_;
  std::vector<table_reader> tables_;  // one for each variant
  route_localnet localnet_;
  std::optional<std::size_t> home_;  // the one in which the engine publishes
  std::set<ports::port_key> never_by_rule_;
  bool never_pair_ = false;
  std::string complained_of_;  // the line of the last failure
  bool localnet_well_ = true;
  bool localnet_on_ = true;  // until it is known to be off: a crashed run may have left it on
  io::clock::time_point told_{};
  machine_state seen_machine_;  // when the tables were read last
};

}  // namespace loopback
