// decisions_bench: what it costs to decide a thousand ports by ten thousand rules, to ask of as many ports without an
// owner whether it matters, and to read such a file. Sets of different kinds: most are found by their index. The last
// ones are those that docs/rules.md calls slow, as many as a file may have.
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "rules/decision.hpp"
#include "rules/owner_question.hpp"
#include "rules/rules_codec.hpp"
#include "tests/bench/bench_command_line.hpp"
#include "tests/bench/figures.hpp"

namespace {

using clock = std::chrono::steady_clock;

constexpr int rule_count = 10'000, port_count = 1'000;
constexpr std::array<std::string_view, 1> sources{"docker"};
constexpr std::array<std::string_view, 1> peers{"host-switch"};

struct kind {
  std::string_view name;
  std::function<std::string(int)> rule;
  int owners = port_count;  // containers that the ports belong to
  int rules = rule_count;
};

// Sets have no literal part, so the index does not know them.
std::string sets_alone(int i) {
  const auto digits = fmt::format("{:05}", i);
  return fmt::format("{{name: '*[{}][{}][{}][{}][{}]*'}}", digits[0], digits[1], digits[2], digits[3], digits[4]);
}

std::vector<kind> kinds() {
  return {
      {"a port each", [](int i) { return fmt::format("{{port: {}, host-port: +1}}", 2 * i + 1); }},
      {"a large range, a name each",
       [](int i) { return fmt::format("{{port: {}-65000, protocol: udp, name: web-{}}}", i + 1, i); }},
      {"overlapping ranges", [](int i) { return fmt::format("{{port: {}-{}, protocol: udp}}", i + 1, i + 100); }},
      {"one port, a name each", [](int i) { return fmt::format("{{port: 1000, name: web-{}}}", i); }},
      {"a beginning of a name each", [](int i) { return fmt::format("{{name: 'web-{}-*'}}", i); }},
      {"an end of an image each", [](int i) { return fmt::format("{{source: docker, image: '*:{}'}}", i); }},
      {"a label each", [](int i) { return fmt::format("{{label: tier=t{}}}", i); }},
      {"peers and a note",
       [](int i) { return fmt::format("{{port: {}-{}, peers: host-switch, note: why}}", i + 1, i + 3); }},
      {"a piece of a name each", [](int i) { return fmt::format("{{name: '*b-{}-*'}}", i); }},
      {"slow: 500 sets, 10 containers", sets_alone, 10, rules::most_loose},
      {"slow: 500 sets, 1000 containers", sets_alone, port_count, rules::most_loose},
  };
}

std::string file_of(const kind& k) {
  std::string text = "rules:\n";
  for (int i = 0; i < k.rules; ++i) text += "  - " + k.rule(i) + "\n";
  return text;
}

// The ports, and the names that they are views of.
struct ports {
  explicit ports(int owners) {
    for (int i = 0; i < owners; ++i) names.push_back(fmt::format("web-{}-x", 7 * i));
    for (int i = 0; i < port_count; ++i) {
      const auto& name = names[static_cast<std::size_t>(i % owners)];
      subjects.push_back({.source = "docker",
                          .port = static_cast<std::uint16_t>(1000 + 9 * i),
                          .name = name,
                          .labels = labels,
                          .image = "library/nginx:1.27"});
    }
  }
  std::vector<std::string> names;
  std::array<rules::label, 4> labels{{{"tier", "front"}, {"com.example.project", "shop"}, {"a", "b"}, {"c", "d"}}};
  std::vector<rules::subject> subjects;
};

// As a DNAT rule alone shows them.
std::vector<rules::subject> forget_owners(const std::vector<rules::subject>& known) {
  std::vector<rules::subject> made;
  for (const auto& s : known) made.push_back({.source = "iptables", .address = s.address, .port = s.port});
  return made;
}

template <class Work>
double median_ms(int times, Work&& work) {
  std::vector<double> measured;
  for (int i = 0; i < times; ++i) {
    const auto begin = clock::now();
    work();
    measured.push_back(figures::milliseconds(clock::now() - begin));
  }
  return figures::at_share(measured, 0.5);
}

void measure(const kind& k) {
  const auto text = file_of(k);
  const rules::known_names known{sources, peers};
  std::shared_ptr<const rules::rule_set> set;
  const auto reading = median_ms(3, [&] {
    auto parsed = rules::parse_rules(text, known);
    if (!parsed) throw std::runtime_error(to_string(parsed.error().front()));
    set = parsed->rules;
  });
  const ports batch(k.owners);
  const auto without_owners = forget_owners(batch.subjects);
  std::size_t matched = 0;
  const auto deciding = median_ms(11, [&] {
    matched = 0;
    for (const auto& d : rules::decide(*set, batch.subjects)) matched += d.rule ? 1 : 0;
  });
  std::size_t waiting = 0;
  const auto asking = median_ms(11, [&] {
    waiting = 0;
    for (const auto& s : without_owners) waiting += rules::owner_may_decide(*set, s) ? 1 : 0;
  });
  fmt::print("{:32} {:>10.3f} {:>8} {:>10.3f} {:>8} {:>10.1f}\n", k.name, deciding, matched, asking, waiting, reading);
}

}  // namespace

int main(int argc, char** argv) try {
  bench::command_line line("decisions_bench", "What it costs to decide 1,000 ports by 10,000 rules.");
  line.parse(argc, argv);
  fmt::print("{:32} {:>10} {:>8} {:>10} {:>8} {:>10}\n", "10,000 rules with", "decide ms", "matched", "ask ms",
             "waiting", "read ms");
  for (const auto& k : kinds()) measure(k);
  return 0;
} catch (const std::exception& e) {
  std::cerr << "decisions_bench: " << e.what() << "\n";
  return 1;
}
