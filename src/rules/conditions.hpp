// conditions: which ports a rule is about. A condition that is not set matches every port; of several each must match.
// A condition on a name, namespace or image does not match where the subject's is unknown, which is empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.hpp"
#include "net/protocol.hpp"
#include "rules/glob.hpp"

namespace rules {

struct label {
  std::string_view key, value;
};

// A published port that a rule is looked for. Views into memory of the caller.
struct subject {
  std::string_view source{};  // "docker"
  net::protocol protocol = net::protocol::tcp;
  net::address address{};           // where it is published inside the VM
  std::uint16_t port = 0;           // the same
  std::string_view name{};          // of the container or Service
  std::span<const label> labels{};  // of the container or Service, each key once
  std::string_view name_space{};    // containerd's or Kubernetes'
  std::string_view image{};
  bool labels_complete = true;  // false: it may have others besides
};

struct port_range {
  static constexpr std::uint16_t lowest = 1, highest = 65535;
  std::uint16_t first = lowest, last = highest;

  [[nodiscard]] constexpr bool contains(std::uint16_t port) const { return first <= port && port <= last; }
  [[nodiscard]] constexpr bool contains(const port_range& other) const {
    return first <= other.first && other.last <= last;
  }
  [[nodiscard]] constexpr unsigned size() const { return last - first + 1U; }
  bool operator==(const port_range&) const = default;
};

struct address_pattern {
  enum class kind : std::uint8_t {
    exact,
    wildcard,  // 0.0.0.0 and ::
    loopback,  // 127.0.0.0/8 and ::1
  };
  kind what = kind::exact;
  net::address exact{};  // of kind::exact

  [[nodiscard]] bool matches(const net::address& address) const;
  [[nodiscard]] bool covers(const address_pattern& other) const;
  bool operator==(const address_pattern&) const = default;
};

struct label_pattern {
  std::string key;
  std::optional<glob> value{};  // any value without it

  [[nodiscard]] bool matches(std::span<const label> labels) const;
  // The same, or the label is among those that are missing.
  [[nodiscard]] bool may_match(const subject& s) const;
  [[nodiscard]] bool covers(const label_pattern& other) const;
  bool operator==(const label_pattern&) const = default;
};

struct conditions {
  std::optional<port_range> ports{};
  std::optional<net::protocol> protocol{};
  std::vector<std::string> sources{};  // any one of them, as in each list but `labels`
  std::vector<address_pattern> addresses{};
  std::vector<glob> names{};
  std::vector<label_pattern> labels{};  // all of them
  std::vector<glob> namespaces{};
  std::vector<glob> images{};

  // A label that is missing in the subject counts as one that matches; then they are not certain.
  [[nodiscard]] bool matches(const subject& s) const { return matches_port(s) && matches_owner(s); }
  [[nodiscard]] bool matches_port(const subject& s) const;   // ports, protocol, addresses
  [[nodiscard]] bool matches_owner(const subject& s) const;  // the others
  // Of a subject that they match: whether they do without the missing labels.
  [[nodiscard]] bool is_certain(const subject& s) const;
  // Whether they certainly match each subject that `other` matches. False: perhaps they do not.
  [[nodiscard]] bool covers(const conditions& other) const;
  // The comparisons that covers() may take: one, and one for each pair of its lists' members; more for long patterns.
  [[nodiscard]] std::size_t cost_of_covers(const conditions& other) const;
  bool operator==(const conditions&) const = default;
};

}  // namespace rules
