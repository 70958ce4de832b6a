// own_rules: this program's rules in a nat table. They are in one chain, named by the tag, to which PREROUTING jumps;
// the comment of each begins with "TAG:". Rules of ours in other chains are left by an earlier version. A view that
// must not outlive the table. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/netfilter/dnat_rule.hpp"
#include "kernel/netfilter/iptables_save.hpp"

namespace netfilter {

struct own_rule {
  const rule_spec* spec = nullptr;
  std::size_t position = 0;  // among all rules of the table, from 1
  std::uint64_t handle = 0;  // 0: unknown
};

class own_rules {
 public:
  own_rules(const nat_table& table, std::string tag);

  [[nodiscard]] const std::string& tag() const { return tag_; }
  [[nodiscard]] const std::vector<own_rule>& all() const { return all_; }
  [[nodiscard]] bool has_chain() const { return has_chain_; }
  // The position of PREROUTING's last jump to another program's chain. Our jumps belong behind it.
  [[nodiscard]] std::size_t last_foreign_jump() const { return last_foreign_jump_; }
  // Whether the rule is PREROUTING's jump to our chain.
  [[nodiscard]] bool is_jump(const rule_spec& r) const { return r.chain == "PREROUTING" && jump_of(r) == tag_; }
  // The comment behind "TAG:" of a rule of ours: a container's id, "listener", "peer".
  [[nodiscard]] std::string_view label(const rule_spec& r) const { return comment_of(r).substr(tag_.size() + 1); }
  // Whether one of them leads to a loopback address, which takes route_localnet.
  [[nodiscard]] bool lead_to_loopback() const;

 private:
  std::string tag_;
  std::vector<own_rule> all_;
  std::size_t last_foreign_jump_ = 0;
  bool has_chain_ = false;
};

}  // namespace netfilter
