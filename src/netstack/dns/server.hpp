// server: the DNS server at the gateway (RFC 1035), as a pure machine: questions, an upstream's answers and time go in,
// answers and questions for the upstream come out. Owned by host-switch's control thread, which has the sockets and the
// resolver. No failure is silent: every readable question gets an answer, at the latest SERVFAIL at its deadline.
//
// Theory of operation. The first of these that knows a question's name answers it:
//   zones       the names of the virtual network. Another type of an existing name: no error, no records, and the
//               zone's SOA
//   localhost   the loopback addresses, which are the asking machine's own (RFC 6761)
//   hosts file  A and AAAA of its names, PTR of its addresses. A loopback address means the host, which the VM reaches
//               by another one (.254), if at all
//   policy      AAAA of an outside name has no records unless settings.aaaa: the network is IPv4 only
//   upstream    everything else, of any type. The answer's bytes stay the same, except for its id and what a UDP
//               client's size cuts off. NXDOMAIN for a name of the hosts file becomes: no error, no records
// Questions of classes other than IN, and zone transfers, are refused.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "netstack/dns/hosts_file.hpp"
#include "netstack/dns/pending.hpp"
#include "netstack/dns/query.hpp"
#include "netstack/dns/response.hpp"
#include "netstack/dns/zones.hpp"

namespace netstack::dns {

struct settings {
  std::optional<ipv4::address> host;  // replaces the loopback addresses of the hosts file
  bool aaaa = false;                  // -dns-aaaa
  std::size_t most_udp = 1'472;       // of an answer: the MTU less 28, so that it is not fragmented
  pending_limits limits{};
  std::function<std::uint16_t()> random_id;  // pending.hpp
};

struct answer {
  client to;
  std::vector<std::uint8_t> bytes;  // without TCP's length: with_length()
};

// A question for the upstream: send these bytes, and give the result to on_upstream().
struct ask_upstream {
  dns::token token;
  std::vector<std::uint8_t> question;
};

struct dropped {};  // not a question, or one in progress

using outcome = std::variant<dropped, answer, ask_upstream>;

struct counters {
  std::uint64_t questions = 0;         // all messages
  std::uint64_t dropped = 0;           // not questions
  std::uint64_t repeated = 0;          // repeats of questions in progress
  std::uint64_t malformed = 0;         // FORMERR, NOTIMP, REFUSED, BADVERS
  std::uint64_t local = 0;             // answered by zones, hosts file or policy
  std::uint64_t upstream = 0;          // sent to the upstream
  std::uint64_t refused_at_limit = 0;  // SERVFAIL: too many in progress
  std::uint64_t failed = 0;            // SERVFAIL: the upstream failed, or its message was not an answer
  std::uint64_t expired = 0;           // SERVFAIL: the upstream did not answer
  std::uint64_t truncated = 0;         // upstream answers cut to size

  bool operator==(const counters&) const = default;
};

class server {
 public:
  // `s.random_id` is not empty.
  server(settings s, zones known);

  [[nodiscard]] outcome on_question(const client& from, bytes_view bytes, time_point now);
  // `bytes`: the upstream's message, or nullopt for a failure of any kind (no resolver, time-out, refusal). Returns
  // nullopt if the question is no longer in progress.
  [[nodiscard]] std::optional<answer> on_upstream(token t, std::optional<bytes_view> bytes);

  // SERVFAIL for a question whose deadline has passed; call until it returns nullopt.
  [[nodiscard]] std::optional<answer> next_expired(time_point now);
  [[nodiscard]] time_point wake_at() const { return pending_.wake_at(); }

  // The client's connection is closed.
  void forget(std::uint64_t connection) { pending_.forget(connection); }
  void set_hosts(hosts_file hosts) { hosts_ = std::move(hosts); }

  [[nodiscard]] std::size_t in_progress() const { return pending_.size(); }
  [[nodiscard]] const counters& counted() const { return counted_; }

 private:
  [[nodiscard]] std::optional<response> answer_locally(const query& q) const;
  [[nodiscard]] std::optional<response> answer_from_zones(const query& q) const;
  [[nodiscard]] std::optional<response> answer_from_hosts(const query& q) const;
  [[nodiscard]] std::optional<response> answer_from_address(const query& q) const;
  [[nodiscard]] outcome ask(const client& from, const query& q, bytes_view bytes, time_point now);
  [[nodiscard]] std::size_t limit(const client& to, const query& q) const;
  [[nodiscard]] answer fail(const client& to, const query& q) const;
  [[nodiscard]] bool denies_a_known_name(const query& q, bytes_view message) const;

  settings settings_;
  zones zones_;
  hosts_file hosts_;
  pending pending_;
  counters counted_;
};

}  // namespace netstack::dns
