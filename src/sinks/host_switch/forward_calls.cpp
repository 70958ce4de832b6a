#include "sinks/host_switch/forward_calls.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "base/text.hpp"
#include "http/message.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "ports/binding.hpp"
#include "ports/sink.hpp"
#include "protocols/forwarder_api/answer_codec.hpp"
#include "protocols/forwarder_api/forward.hpp"
#include "protocols/forwarder_api/request_codec.hpp"

namespace host_switch_peer {
namespace {

using forwarder_api::verdict;
using ports::outcome_kind;

forwarder_api::forward forward_of(const ports::port_key& key, const net::endpoint& inside) {
  return {net::to_string(net::endpoint{key.address, key.port}), net::to_string(inside),
          std::string(net::to_string(key.protocol))};
}

// Nothing: it is not written as the agent writes it, or does not lead to this VM.
std::optional<net::endpoint> remote_in_vm(const forwarder_api::forward& f, const net::address& tap) {
  const auto remote = net::parse_endpoint(f.remote);
  if (!remote || remote->ip != tap || remote->port == 0 || net::to_string(*remote) != f.remote) return std::nullopt;
  return remote;
}

std::optional<ports::held_forward> to_held(const forwarder_api::forward& f, const net::address& tap) {
  const auto protocol = net::parse_protocol(f.protocol);
  const auto at = net::parse_endpoint(f.local);
  if (!protocol || !at || at->port == 0) return std::nullopt;
  const ports::port_key key{*protocol, at->ip, at->port};
  if (net::to_string(*at) != f.local) return std::nullopt;
  const auto inside = remote_in_vm(f, tap);
  if (!inside) return ports::held_forward{.key = key, .exact = false};
  return ports::held_forward{.key = key, .remapped_from = inside->port == key.port ? std::uint16_t{0} : inside->port};
}

}  // namespace

http::request encode(const ports::operation& op, const net::address& tap) {
  const auto f = forward_of(op.target.key, {tap, op.target.port_inside()});
  return op.what == ports::verb::add ? forwarder_api::encode_expose(f) : forwarder_api::encode_unexpose(f);
}

// The reason is shown on terminals: it is made printable and cut short.
ports::outcome classify(ports::verb what, const http::response& answer) {
  const bool add = what == ports::verb::add;
  const auto reason = base::printable(base::trim(answer.body));
  switch (add ? forwarder_api::classify_expose(answer) : forwarder_api::classify_unexpose(answer)) {
    case verdict::done:
    case verdict::unknown: return {};
    case verdict::exists: return {outcome_kind::exists, reason};
    case verdict::busy: return {outcome_kind::conflict, reason};
    case verdict::refused: break;
  }
  return {outcome_kind::refused, fmt::format("host-switch answered {}: {}", answer.status, reason)};
}

base::result<ports::peer_state> parse_all(std::string_view body, const net::address& tap) {
  const auto all = forwarder_api::parse_all(body);
  if (!all) return std::unexpected(all.error());
  ports::peer_state state;
  for (const auto& f : *all)
    if (auto held = to_held(f, tap)) state.held.push_back(std::move(*held));
  return state;
}

}  // namespace host_switch_peer
