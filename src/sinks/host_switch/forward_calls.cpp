#include "sinks/host_switch/forwarder_codec.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "json/json.hpp"
#include "net/endpoint.hpp"

namespace host_switch_peer {
namespace {

using ports::outcome_kind;

std::string local_of(const ports::port_key& key) { return net::to_string(net::endpoint{key.address, key.port}); }
std::string remote_of(const ports::port_key& key, const net::address& tap) {
  return net::to_string(net::endpoint{tap, key.port});
}

std::optional<ports::held_forward> parse_held(const json::value& element, const net::address& tap) {
  const auto local = json::find_string(element, "local");
  const auto protocol = net::parse_protocol(json::find_string(element, "protocol").value_or(""));
  const auto at = local ? net::parse_endpoint(*local) : std::nullopt;
  if (!protocol || !at || at->port == 0) return std::nullopt;
  const ports::port_key key{*protocol, at->ip, at->port};
  if (local_of(key) != *local) return std::nullopt;
  return ports::held_forward{.key = key, .exact = json::find_string(element, "remote") == remote_of(key, tap)};
}

// Linux's words and Windows'. Whatever else keeps the host from listening (descriptors, rights) frees no port by
// itself.
bool is_busy(std::string_view reason) {
  return reason.contains("address already in use") || reason.contains("Only one usage of each socket address");
}

}  // namespace

http::request encode(const ports::operation& op, const net::address& tap) {
  const auto& key = op.target.key;
  const bool add = op.what == ports::verb::add;
  http::request r;
  r.method = "POST";
  r.target = add ? "/services/forwarder/expose" : "/services/forwarder/unexpose";
  r.headers["Content-Type"] = "application/json";
  const auto remote = add ? fmt::format(R"("remote":"{}",)", remote_of(key, tap)) : std::string();
  r.body = fmt::format(R"({{"local":"{}",{}"protocol":"{}"}})", local_of(key), remote, net::to_string(key.protocol));
  return r;
}

// The peer's words end up on terminals, cut short. They are judged as a whole: what matters may stand at their end.
ports::outcome classify(ports::verb what, const http::response& answer) {
  const auto words = base::trim(answer.body);
  const auto reason = base::printable(words);
  if (answer.status == 200) return {};
  if (what == ports::verb::remove && words == "proxy not found") return {};
  if (what == ports::verb::add && words.starts_with("proxy already running")) return {outcome_kind::exists, reason};
  if (what == ports::verb::add && is_busy(words)) return {outcome_kind::conflict, reason};
  return {outcome_kind::refused, fmt::format("host-switch answered {}: {}", answer.status, reason)};
}

base::result<ports::peer_state> parse_all(std::string_view body, const net::address& tap) {
  const auto document = json::parse(body, {.bytes = 64 << 20});
  if (!document) return std::unexpected(document.error());
  ports::peer_state state;
  if (document->is_null()) return state;  // how Go writes a list that was never made
  const auto* list = document->if_array();
  if (list == nullptr) return base::fail("the list of forwards is no list");
  for (const auto& element : *list)
    if (auto held = parse_held(element, tap)) state.held.push_back(std::move(*held));
  return state;
}

}  // namespace host_switch_peer
