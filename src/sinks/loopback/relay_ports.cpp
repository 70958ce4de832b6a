#include "sinks/loopback/relay_ports.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <expected>
#include <system_error>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "ports/sink.hpp"
#include "relay/sockets.hpp"
#include "sinks/loopback/machine_state.hpp"
#include "sinks/loopback/rule_plan.hpp"

namespace loopback {
namespace {

constexpr int attempts = 8;  // for a port that is free at each of the peers' addresses

// A port that is free at this address now.
base::result<std::uint16_t> free_number(net::protocol protocol, const net::address& at) {
  const int kind = protocol == net::protocol::udp ? SOCK_DGRAM : SOCK_STREAM;
  const base::unique_fd fd(::socket(AF_INET, kind | SOCK_CLOEXEC, 0));
  auto address = net::to_sockaddr({at, 0});
  if (!fd || ::bind(fd.get(), address.get(), address.size) != 0 ||
      ::getsockname(fd.get(), address.get(), &address.size) != 0)
    return base::fail_errno("choose a port");
  const auto chosen = net::from_sockaddr(address);
  return chosen ? chosen->port : std::uint16_t{0};
}

bool contains(const std::vector<peer_interface>& all, const peer_interface& one) {
  return std::ranges::find(all, one) != all.end();
}

// Not a failure: the next reading of the machine shows the new interfaces.
bool is_gone(const base::result<>& opened) {
  const auto& code = opened.error().code;
  return code == std::errc::address_not_available || code == std::errc::no_such_device;
}

bool is_busy(const base::result<>& opened) { return !opened && opened.error().code == std::errc::address_in_use; }

}  // namespace

base::result<> relay_ports::listen(one& relay, const peer_interface& peer) {
  if (contains(relay.at, peer)) return {};
  relay::listener_spec spec;
  spec.protocol = relay.port.key.protocol;
  spec.listen = {peer.address, relay.number};
  spec.target = relay.port.target;
  spec.clients = {peer.device, peer.network.network(), peer.network.prefix_length()};
  auto added = listeners_.add(spec);
  if (added) relay.at.push_back(peer);
  return added || is_gone(added) ? base::result<>{} : added;
}

void relay_ports::close(one& relay) {
  for (const auto& peer : relay.at) listeners_.remove(relay.port.key.protocol, {peer.address, relay.number});
  relay.at.clear();
}

base::result<> relay_ports::choose_number(one& relay, const peer_interface& peer) {
  const auto& key = relay.port.key;
  const auto chosen =
      relay.port.in_place ? base::result<std::uint16_t>(key.port) : free_number(key.protocol, peer.address);
  if (!chosen) return std::unexpected(chosen.error());
  relay.number = *chosen;
  return {};
}

base::result<> relay_ports::listen_toward(one& relay, const std::vector<peer_interface>& peers) {
  for (const auto& peer : peers)
    if (auto opened = listen(relay, peer); !opened) return opened;
  return {};
}

base::result<> relay_ports::open_one(one& relay, const std::vector<peer_interface>& peers) {
  base::result<> opened;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (relay.at.empty() && !peers.empty())
      if (auto chosen = choose_number(relay, peers.front()); !chosen) return chosen;
    opened = listen_toward(relay, peers);
    if (opened && relay.at.empty() && !peers.empty())
      return base::fail(std::errc::address_not_available, "no address to listen on");
    if (opened) return opened;
    close(relay);
    if (relay.port.in_place || !is_busy(opened)) break;
  }
  return opened;
}

relay_ports::troubles relay_ports::open(const std::vector<relayed_port>& wanted,
                                        const std::vector<peer_interface>& peers) {
  troubles failed;
  for (auto& [id, relay] : relays_) relay.wanted = false;
  for (const auto& port : wanted) {
    auto reached = peers;
    std::erase_if(reached, [&port](const auto& peer) { return peer.address == port.target.ip; });
    const relay_id id{port.key, port.in_place};
    auto& relay = relays_[id];
    const bool same = relay.port.target == port.target;
    const bool elsewhere =
        std::ranges::any_of(relay.at, [&reached](const auto& peer) { return !contains(reached, peer); });
    if (!same || elsewhere) close(relay);
    relay.port = port;
    relay.wanted = true;
    const auto opened = open_one(relay, reached);
    if (opened) continue;
    const auto kind = is_busy(opened) ? ports::outcome_kind::conflict : ports::outcome_kind::refused;
    failed.emplace(port.key, ports::outcome{kind, opened.error().message()});
    relays_.erase(id);
  }
  return failed;
}

std::vector<ports::port_key> relay_ports::others() const {
  std::vector<ports::port_key> keys;
  for (const auto& [id, relay] : relays_)
    if (!relay.wanted) keys.push_back(relay.port.key);
  return keys;
}

void relay_ports::close_others() {
  for (auto& [id, relay] : relays_)
    if (!relay.wanted) close(relay);
  std::erase_if(relays_, [](const auto& item) { return !item.second.wanted; });
}

void relay_ports::close_all() {
  for (auto& [id, relay] : relays_) close(relay);
  relays_.clear();
}

relay_numbers relay_ports::numbers() const {
  relay_numbers numbers;
  for (const auto& [id, relay] : relays_)
    if (!relay.at.empty() && !relay.port.in_place) numbers.emplace(relay.port.key, relay.number);
  return numbers;
}

}  // namespace loopback
