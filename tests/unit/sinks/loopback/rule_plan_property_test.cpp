// Random tables and wishes: one plan makes the table right, and leaves alone what is not ours.
#include <random>

#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

const rule_options options;
const machine_state machine{"eth0", {options.tap, options.veth}};

bool is_ours(const std::string& line) { return line.find("rancher-desktop-guestagent:") != std::string::npos; }

std::vector<std::string> foreign_lines(const nat_table& table) {
  std::vector<std::string> lines;
  for (const auto& r : table.rules)
    if (const auto line = append_line(r); !is_ours(line)) lines.push_back(line);
  return lines;
}

class world {
 public:
  explicit world(unsigned seed) : random_(seed) {}

  std::string table() {
    std::vector<std::string> lines;
    for (int i = upto(6); i > 0; --i) lines.push_back(docker_rule(address(), port(), target()));
    for (int i = upto(6); i > 0; --i) lines.push_back(our_rule(owner(), port(), target()));
    for (const auto& line :
         {"pair -j DNAT --to-destination 127.0.0.1", "direct -p tcp -m tcp --dport 3 -j ACCEPT", "pair -j ACCEPT"})
      for (int i = upto(2); i > 0; --i)
        lines.push_back(
            std::string(
                "-A PREROUTING -d 192.168.127.2/32 -i eth0 -p tcp -m comment --comment rancher-desktop-guestagent:") +
            line + "\n");
    if (upto(4) > 0) lines.push_back("-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n");
    std::ranges::shuffle(lines, random_);
    std::string text;
    for (const auto& line : lines) text += line;
    return text;
  }

  wanted_ports wishes() {
    wanted_ports wanted;
    for (int i = upto(6); i > 0; --i) {
      const auto k = key(upto(5) == 0 ? "::1" : address(), static_cast<std::uint16_t>(port()));
      wanted[k] = wanted_by(owner(), k);
    }
    return wanted;
  }

 private:
  int upto(int most) { return static_cast<int>(random_() % static_cast<unsigned>(most + 1)); }
  std::string address() { return upto(1) == 0 ? "127.0.0.1" : "10.0.0.5"; }
  std::string target() { return "172.17.0." + std::to_string(2 + upto(1)) + ":80"; }
  std::string owner() { return upto(1) == 0 ? "aaa" : "bbb"; }
  int port() { return 1 + upto(3); }
  std::mt19937 random_;
};

// Every engine's rule that names an address stands before ours for that port.
void expect_nothing_shadowed(const nat_table& table) {
  std::set<std::uint16_t> ours;
  for (const auto& r : table.rules) {
    const auto d = read_dnat(r);
    if (r.chain != "DOCKER" || !d) continue;
    if (is_ours(append_line(r)))
      EXPECT_TRUE(ours.insert(d->port).second || true);
    else
      EXPECT_FALSE(ours.contains(d->port)) << append_line(r);
  }
}

TEST(RulePlanProperty, OnePlanMakesItRight) {
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(seed);
    world w(seed);
    const auto before = table_of(w.table());
    const auto wanted = w.wishes();
    const auto made = plan_rules(before, wanted, {}, machine, options);
    const auto after = changed_by(before, made);
    ASSERT_EQ(foreign_lines(after), foreign_lines(before));
    ASSERT_EQ(plan_rules(after, wanted, {}, machine, options).changes, std::vector<std::string>{});
    expect_nothing_shadowed(after);
    const auto held = find_held(after, wanted, options);
    for (const auto& [k, f] : held) EXPECT_TRUE(wanted.contains(k)) << to_string(k);
    EXPECT_LE(held.size() + made.relayed.size(), wanted.size());
    const auto clean = changed_by(after, plan_removal(after, options));
    ASSERT_EQ(clean.rules.size(), foreign_lines(before).size());
  }
}

}  // namespace
}  // namespace loopback
