#include "tests/soak/witness.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "json/json.hpp"
#include "ports/journal_codec.hpp"
#include "protocols/status_document/document_codec.hpp"
#include "tests/soak/shapes.hpp"
#include "tests/support/docker_engine.hpp"
#include "tests/support/probe.hpp"

namespace soak {
namespace {

using net::listen_key;
using net::protocol;
using keys = std::set<listen_key>;

constexpr net::address loopback = net::address::loopback_v4();
constexpr const char* published = "exposed = published";
constexpr std::size_t largest_journal = std::size_t{256} << 10U;  // bytes; it is written anew before

// A wildcard of either family is one here.
listen_key normal(protocol p, const net::endpoint& at) {
  return {p, at.ip.is_unspecified() ? net::address::any_v4() : at.ip, at.port};
}

keys keys_of(const std::set<support::listening_socket>& sockets) {
  keys all;
  for (const auto& one : sockets) all.insert(normal(one.protocol, one.at));
  return all;
}

keys wanted_at(const exposures& wanted, std::optional<listen_key> exposure::* where) {
  keys all;
  for (const auto& [inside, one] : wanted)
    if (const auto& at = one.*where) all.insert(*at);
  return all;
}

// The status has one row for a port, under its name on the host.
keys wanted_in_status_of_wsl(const exposures& wanted) {
  keys all;
  for (const auto& [inside, one] : wanted)
    if (one.wsl) all.insert(one.host.value_or(inside));
  return all;
}

// Names the first few of each direction: a whole chain that is down would fill the screen.
void compare_keys(const char* invariant, const std::string& where, const keys& wanted, const keys& got,
                  std::vector<difference>& found) {
  constexpr std::size_t shown = 6;
  const auto report = [&](const keys& of, const keys& without, const char* what) {
    std::vector<std::string> names;
    for (const auto& one : of)
      if (!without.contains(one)) names.push_back(net::to_string(one));
    for (std::size_t i = 0; i < std::min(shown, names.size()); ++i)
      found.push_back({invariant, fmt::format("{}: {} {}", where, names[i], what)});
    if (names.size() > shown)
      found.push_back({invariant, fmt::format("{}: {} more {}", where, names.size() - shown, what)});
  };
  report(wanted, got, "is missing");
  report(got, wanted, "is too many");
}

std::optional<keys> forwards_of(const std::string& document) {
  const auto all = json::parse(document);
  if (!all || !all->is_array()) return std::nullopt;
  keys listed;
  for (const auto& one : all->get_array()) {
    const auto local = net::parse_endpoint(json::find_string(one, "local").value_or(""));
    const auto p = net::parse_protocol(json::find_string(one, "protocol").value_or(""));
    if (!local || !p) return std::nullopt;
    listed.insert(normal(*p, *local));
  }
  return listed;
}

std::string state_at(const status_document::port& port, std::string_view peer) {
  const auto found = std::ranges::find(port.peers, peer, &status_document::peer_port::name);
  return found == port.peers.end() ? "" : found->state;
}

}  // namespace

std::vector<std::string> witness::invariants() { return {published, "rules", "journals", "answered", "refused"}; }

std::vector<difference> witness::compare(const exposures& wanted) const {
  differences found;
  compare_host(wanted, found);
  compare_wsl(wanted, found);
  compare_status(wanted, found);
  compare_rules(wanted, found);
  compare_journals(wanted, found);
  if (!found.empty()) return found;
  compare_answers(wanted, found);
  compare_refusals(wanted, found);
  return found;
}

void witness::compare_host(const exposures& wanted, differences& found) const {
  auto of_host = wanted_at(wanted, &exposure::host);
  of_host.insert({protocol::tcp, loopback, 2222});  // arena::static_forward
  const auto body = support::http_get(arena_.rd(), {net::address::v4(192, 168, 127, 1), 80}, "/services/forwarder/all");
  const auto listed = body ? forwards_of(*body) : std::nullopt;
  if (!listed) return found.push_back({published, "host-switch gives the VM no list"});
  compare_keys(published, "in host-switch's list", of_host, *listed, found);
  compare_keys(published, "on the host", of_host, keys_of(support::listening_sockets(arena_.host())), found);
}

void witness::compare_wsl(const exposures& wanted, differences& found) const {
  compare_keys(published, "in wsl", wanted_at(wanted, &exposure::wsl),
               keys_of(support::listening_sockets(arena_.wsl())), found);
}

void witness::compare_status(const exposures& wanted, differences& found) const {
  const auto shown = arena_.control({"status", "-json"});
  const auto document = status_document::decode(shown.text);
  if (shown.exit_code != 0 || !document) return found.push_back({published, "the agent shows no status"});
  for (const auto& source : document->sources)
    if (source.state != "ok")
      found.push_back(
          {"exposed = published", fmt::format("source {} is {}: {}", source.name, source.state, source.reason)});
  keys at_host, at_wsl;
  for (const auto& port : document->ports) {
    const auto p = net::parse_protocol(port.protocol);
    const auto address = net::address::parse(port.address);
    if (!p || !address) continue;
    for (const auto& at : port.peers)
      if (at.state != "applied" && at.state != "ignored" && at.state != "covered")
        found.push_back({published, fmt::format("{} {}:{} is {} at {}: {}", port.protocol, port.address, port.number,
                                                at.state, at.name, at.reason)});
    if (state_at(port, "host-switch") == "applied") at_host.insert(normal(*p, {*address, port.number}));
    if (state_at(port, "wsl-proxy") == "applied") at_wsl.insert(normal(*p, {*address, port.number}));
  }
  compare_keys(published, "in the status at host-switch", wanted_at(wanted, &exposure::host), at_host, found);
  compare_keys(published, "in the status at wsl-proxy", wanted_in_status_of_wsl(wanted), at_wsl, found);
}

std::vector<std::string> witness::rules_left() const {
  auto rules = support::iptables_rules(arena_.rd());
  std::erase_if(rules, [](const auto& line) { return !line.contains("rancher-desktop-guestagent"); });
  return rules;
}

// One rule at most for a port, and none for another.
void witness::compare_rules(const exposures& wanted, differences& found) const {
  std::map<std::pair<std::string, std::string>, int> seen;
  for (const auto& rule : rules_left()) {
    if (!rule.starts_with("-A rancher-desktop-guestagent ")) continue;
    std::string p, port;
    const auto words = base::split(rule, ' ');
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i] == "-p") p = words[i + 1];
      if (words[i] == "--dport") port = words[i + 1];
    }
    ++seen[{p, port}];
  }
  std::set<std::pair<std::string, std::string>> allowed;
  for (const auto& [inside, one] : wanted)
    allowed.insert({std::string(net::to_string(inside.protocol)), std::to_string(inside.port)});
  for (const auto& [port, count] : seen)
    if (count > 1 || !allowed.contains(port))
      found.push_back({"rules", fmt::format("{} rules for {} {}", count, port.first, port.second)});
}

void witness::compare_journals(const exposures& wanted, differences& found) const {
  for (const auto& [name, where] :
       {std::pair{"host-switch", &exposure::host}, std::pair{"wsl-proxy", &exposure::wsl}}) {
    const auto text = support::read_text(arena_.disk().path() / (std::string(name) + ".journal"));
    const auto content = ports::parse_journal(text);
    keys live;
    for (const auto& [key, forward] : content.live) live.insert(normal(key.protocol, {key.address, key.port}));
    compare_keys("journals", fmt::format("in the journal of {}", name), wanted_at(wanted, where), live, found);
    if (text.size() > largest_journal || content.damaged_lines > 0)
      found.push_back({"journals", fmt::format("that of {} has {} bytes, {} damaged lines", name, text.size(),
                                               content.damaged_lines)});
  }
}

namespace {

bool is_answered(const support::netns& from, protocol p, const net::endpoint& to, const std::string& name) {
  if (p == protocol::tcp) return support::http_get(from, to, "/") == name + "\n";
  return support::ask(from, protocol::udp, to, "hello") == name + " hello";
}

// Where clients of a port connect to.
std::vector<net::address> addresses_of(const listen_key& at, const net::address& own) {
  if (at.address != net::address::any_v4()) return {loopback};
  return {loopback, net::address::loopback_v6(), own};
}

}  // namespace

void witness::compare_answers(const exposures& wanted, differences& found) const {
  const auto check = [&](const support::netns& from, const listen_key& at, const net::address& own,
                         const std::string& name) {
    for (const auto& address : addresses_of(at, own))
      if (const net::endpoint to{address, at.port}; !is_answered(from, at.protocol, to, name))
        found.push_back({"answered", fmt::format("{} {} in {}: no answer of {}", net::to_string(at.protocol),
                                                 net::to_string(to), from.name(), name)});
  };
  for (const auto& [inside, one] : wanted) {
    if (!one.answers) continue;
    if (one.host) check(arena_.host(), *one.host, arena::lan, one.answerer);
    if (one.wsl) check(arena_.wsl(), *one.wsl, arena::wsl_side, one.answerer);
  }
}

// The first ports of each slot, moved ones too, on this machine and, for those on loopback, from the host's LAN.
void witness::compare_refusals(const exposures& wanted, differences& found) const {
  const auto of_host = wanted_at(wanted, &exposure::host), of_wsl = wanted_at(wanted, &exposure::wsl);
  const auto check = [&](const support::netns& from, const keys& open, const net::address& address,
                         std::uint16_t port) {
    const bool is_open = open.contains({protocol::tcp, net::address::any_v4(), port}) ||
                         (address == loopback && open.contains({protocol::tcp, loopback, port}));
    if (!is_open && !support::refused(from, {address, port}))
      found.push_back({"refused", fmt::format("{}:{} in {}", address.to_string(), port, from.name())});
  };
  const auto check_slots = [&](auto base, unsigned slots) {
    for (unsigned slot = 0; slot < slots; ++slot)
      for (unsigned i = 0; i < 3; ++i) {
        const auto port = static_cast<std::uint16_t>(base(slot) + i);
        check(arena_.host(), of_host, loopback, port);
        check(arena_.host(), of_host, arena::lan, port);
        check(arena_.host(), of_host, loopback, static_cast<std::uint16_t>(port + moved_by));
        check(arena_.wsl(), of_wsl, loopback, port);
      }
  };
  check_slots(docker_base, docker_slots);
  check_slots(containerd_base, containerd_slots);
  check_slots(listener_base, listener_slots);
  check_slots(balancer_base, service_slots);
}

}  // namespace soak
