// Random rules and subjects from small alphabets, so that they often meet.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/rules/parsed.hpp"

namespace rules {

class random_rules {
 public:
  explicit random_rules(std::uint32_t seed) : random_(seed) {}

  unsigned below(unsigned limit) { return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_); }
  bool one_in(unsigned count) { return below(count) == 0; }

  rule make_rule() {
    rule r;
    r.when = make_conditions();
    add_actions(r);
    return r;
  }

  conditions make_conditions() {
    conditions c;
    if (one_in(2)) c.ports = make_range();
    if (one_in(4)) c.protocol = one_in(2) ? net::protocol::tcp : net::protocol::udp;
    if (one_in(4)) c.sources = some_of(known_sources);
    if (one_in(4)) add_addresses(c);
    if (one_in(3)) c.names = globs(names);
    if (one_in(4)) c.namespaces = globs(names);
    if (one_in(4)) c.images = globs(names);
    if (one_in(4)) c.labels.push_back({"tier", {}});
    if (one_in(4)) c.labels.push_back({std::string(pick(keys)), globs(names).front()});
    return c;
  }

  // Its views are to literals; the labels live in this object until the next call.
  subject make_subject() {
    labels_.clear();
    for (const auto key : keys)
      if (one_in(2)) labels_.push_back({key, pick(texts)});
    return {.source = one_in(8) ? "other" : pick(known_sources),
            .protocol = pick(std::array{net::protocol::tcp, net::protocol::udp, net::protocol::sctp}),
            .address = ip(pick(addresses)),
            .port = static_cast<std::uint16_t>(one_in(9) ? 65535 : 1 + below(40)),
            .name = pick(texts),
            .labels = labels_,
            .name_space = pick(texts),
            .image = pick(texts),
            .labels_complete = !one_in(3)};
  }

 private:
  static constexpr std::array<std::string_view, 12> names{"web",     "*eb*", "*we*1", "w*",    "*b",  "w?b",
                                                          "[uvw]eb", "*",    "web-1", "web-*", "a*b", "*-1"};
  static constexpr std::array<std::string_view, 7> texts{"web", "web-1", "ab", "b", "", "axb", "wab"};
  static constexpr std::array<std::string_view, 3> keys{"tier", "app", "org.x/y"};
  static constexpr std::array<std::string_view, 6> addresses{"0.0.0.0",   "::",  "127.0.0.1",
                                                             "127.0.0.2", "::1", "192.168.5.15"};

  template <class List>
  typename List::value_type pick(const List& list) {
    return list[below(static_cast<unsigned>(list.size()))];
  }

  std::vector<std::string> some_of(std::span<const std::string_view> from) {
    std::vector<std::string> some{std::string(pick(from))};
    if (one_in(2)) some.emplace_back(pick(from));
    return some;
  }

  std::vector<glob> globs(std::span<const std::string_view> from) {
    std::vector<glob> some;
    do some.push_back(glob::parse(pick(from)).value());
    while (one_in(3));
    return some;
  }

  port_range make_range() {
    if (one_in(10)) return {};
    const auto first = static_cast<std::uint16_t>(1 + below(40));
    return {first, static_cast<std::uint16_t>(first + (one_in(2) ? 0 : below(20)))};
  }

  void add_addresses(conditions& c) {
    do {
      const auto what = pick(
          std::array{address_pattern::kind::exact, address_pattern::kind::wildcard, address_pattern::kind::loopback});
      c.addresses.push_back({what, what == address_pattern::kind::exact ? ip(pick(addresses)) : net::address()});
    } while (one_in(3));
  }

  // Those that the codec accepts for these conditions.
  void add_actions(rule& r) {
    if (one_in(3)) r.then.note = "why \"not\": {a, b} # \\ ü";
    if (one_in(3)) {
      r.then.ignore = true;
      return;
    }
    if (one_in(2)) r.then.host_address = ip(pick(addresses));
    if (one_in(3)) r.then.peers = some_of(known_peers);
    if (!one_in(2)) return;
    const auto from = r.when.ports.value_or(port_range{});
    if (from.size() == 1)
      r.then.host_port = std::uint16_t{8080};
    else if (from.last < 100)
      r.then.host_port = port_range{9000, static_cast<std::uint16_t>(9000 + from.size() - 1)};
    else
      r.then.host_port = port_offset{r.when.ports ? 0 : -20};
    if (r.then.host_port == host_port(port_offset{0})) r.then.host_port.reset();
  }

  std::mt19937 random_;
  std::vector<label> labels_;
};

}  // namespace rules
