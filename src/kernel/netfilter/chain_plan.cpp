#include "kernel/netfilter/chain_plan.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "kernel/netfilter/dnat_rule.hpp"
#include "kernel/netfilter/iptables_save.hpp"
#include "kernel/netfilter/own_rules.hpp"

namespace netfilter {
namespace {

// Rules of the same form are the same rule. A thousand of them are found by hash sooner than by words.
std::string form_of(const rule_spec& r) {
  const auto sorted = canonical(r);
  std::string text = sorted.chain;
  for (const auto& word : sorted.words) {
    text += '\0';
    text += word;
  }
  return text;
}

class planner {
 public:
  explicit planner(const own_rules& present) : present_(present) {}

  // Additions come first; a rule without a handle goes by its words, which must not match an added one.
  void settle_chain(const std::vector<rule_spec>& wanted) {
    if (!present_.has_chain()) add_line(":" + present_.tag() + " -");
    std::vector<std::string> forms;
    forms.reserve(wanted.size());
    for (const auto& r : wanted) forms.push_back(form_of(r));
    std::unordered_set<std::string> missing(forms.begin(), forms.end());
    const auto stale = stale_rules(missing);
    for (const auto& own : stale)
      if (own.handle == 0) remove(own);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (missing.contains(forms[i])) append(wanted[i], i);
    for (const auto& own : stale)
      if (own.handle != 0) remove(own);
  }

  // Each once, behind the last jump to another program's chain.
  void settle_jumps(const std::vector<rule_spec>& wanted) {
    std::map<rule_spec, rule_spec> missing;
    for (const auto& jump : wanted) missing.emplace(canonical(jump), jump);
    for (const auto& own : present_.all()) {
      if (!present_.is_jump(*own.spec)) continue;
      const bool behind = own.position > present_.last_foreign_jump();
      if (!behind || missing.erase(canonical(*own.spec)) == 0) remove(own);
    }
    for (const auto& [form, jump] : missing) append(jump, std::nullopt);
  }

  // A chain can only go when nothing jumps to it, so its jumps go by their words in the same transaction.
  void remove_chain() {
    for (const auto& own : present_.all()) {
      if (own.spec->chain == present_.tag()) continue;
      if (jump_of(*own.spec) == present_.tag())
        add_line(delete_line(*own.spec));
      else
        remove(own);
    }
    if (!present_.has_chain()) return;
    add_line("-F " + present_.tag());
    add_line("-X " + present_.tag());
  }

  chain_plan take() { return std::move(plan_); }

 private:
  // The rules of the chain that are not wanted, or stand there twice. The others are not `missing` any more.
  std::vector<own_rule> stale_rules(std::unordered_set<std::string>& missing) const {
    std::vector<own_rule> stale;
    for (const auto& own : present_.all())
      if (!present_.is_jump(*own.spec) && missing.erase(form_of(*own.spec)) == 0) stale.push_back(own);
    return stale;
  }

  void add_line(std::string line, std::optional<std::size_t> adds = {}) {
    plan_.change.lines.push_back(std::move(line));
    plan_.adds.push_back(adds);
  }
  void append(const rule_spec& r, std::optional<std::size_t> index) {
    add_line(append_line(r), index);
    plan_.change.grown.insert(r.chain);
  }
  void remove(const own_rule& own) {
    if (own.handle != 0)
      plan_.change.removals.push_back({own.spec->chain, own.handle});
    else
      add_line(delete_line(*own.spec));
  }

  const own_rules& present_;
  chain_plan plan_;
};

}  // namespace

chain_plan plan_chain(const own_rules& present, const std::vector<rule_spec>& rules,
                      const std::vector<rule_spec>& jumps) {
  planner plan(present);
  if (rules.empty()) {
    plan.remove_chain();
  } else {
    plan.settle_chain(rules);
    plan.settle_jumps(jumps);
  }
  return plan.take();
}

}  // namespace netfilter
