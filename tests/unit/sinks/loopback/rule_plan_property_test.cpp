// Random tables and wanted ports: one plan makes the table right, and keeps every rule that is not ours.
#include <random>

#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

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
    for (int i = upto(4); i > 0; --i) lines.push_back(own_rule(owner(), port(), upto(1) == 0 ? "127.0.0.1" : ":10001"));
    for (int i = upto(2); i > 0; --i) lines.push_back(own_jumps);
    if (upto(1) == 0)
      lines.push_back("-A PREROUTING -d 192.168.127.2/32 -i eth0 -p tcp -m comment --comment " + tag +
                      ":old -j DNAT --to-destination 127.0.0.1\n");
    if (upto(4) > 0) lines.push_back("-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n");
    std::ranges::shuffle(lines, random_);
    std::string text = own_chain;
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

// No two rules of ours match the same packets, and our jumps are behind the engine's.
void expect_sound(const nat_table& table) {
  std::set<std::pair<net::protocol, std::uint16_t>> ours;
  bool jumped = false;
  for (const auto& r : table.rules) {
    const auto d = netfilter::read_dnat(r);
    if (d && r.chain == options.tag) EXPECT_TRUE(ours.emplace(d->protocol, d->port).second) << append_line(r);
    if (r.chain != "PREROUTING") continue;
    if (netfilter::jump_of(r) == options.tag)
      jumped = true;
    else
      EXPECT_FALSE(jumped) << append_line(r);
  }
}

TEST(rule_plan_property, one_plan_makes_it_right) {
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(seed);
    world w(seed);
    const auto before = table_of(w.table());
    const auto wanted = w.wishes();
    const auto after = changed_by(before, plan(before, wanted));
    ASSERT_EQ(foreign_lines(after), foreign_lines(before));
    ASSERT_EQ(plan(after, wanted).change.lines, std::vector<std::string>{});
    expect_sound(after);
    const auto chosen = ways(after, wanted);
    EXPECT_EQ(chosen.served.size() + chosen.losers.size(), wanted.size());
    for (const auto& [k, f] : held(after, wanted)) EXPECT_TRUE(wanted.contains(k)) << to_string(k);
    const auto clean = changed_by(after, plan(after, {}));
    ASSERT_EQ(clean.rules.size(), foreign_lines(before).size());
    EXPECT_FALSE(clean.has_chain(options.tag));
  }
}

}  // namespace
}  // namespace loopback
