#include "programs/host_switch/forwarder.hpp"

#include <fmt/format.h>

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "http/message.hpp"
#include "net/endpoint.hpp"
#include "net/protocol.hpp"
#include "protocols/forwarder_api/answer_codec.hpp"
#include "protocols/forwarder_api/forward.hpp"
#include "protocols/forwarder_api/forward_address.hpp"
#include "protocols/forwarder_api/request_codec.hpp"

namespace host_switch {
namespace {

http::response ok() { return {200, {}, {}}; }

// Only tcp and udp: a VM must never get a listener on a UNIX socket or a named pipe of the host.
std::optional<net::protocol> parse_forwardable(std::string_view text) {
  const auto parsed = net::parse_protocol(text);
  return parsed == net::protocol::sctp ? std::nullopt : parsed;
}

// The kernel's message as Go writes it: "address already in use".
std::string go_words(const std::error_code& code) {
  auto words = code.message();
  if (!words.empty()) words[0] = base::to_lower(words.substr(0, 1))[0];
  return words;
}

base::error listen_failure(const forwarder_api::forward& wanted, const base::error& why) {
  const bool twice = why.code == std::errc::file_exists;  // the address is in use under another spelling
  const auto code = twice ? std::make_error_code(std::errc::address_in_use) : why.code;
  if (!code) return {{}, fmt::format("listen {} {}: {}", wanted.protocol, base::printable(wanted.local), why.context)};
  return {{}, fmt::format("listen {} {}: bind: {}", wanted.protocol, base::printable(wanted.local), go_words(code))};
}

}  // namespace

base::result<> forwarder::open(net::protocol protocol, const forwarder_api::forward& wanted,
                               const net::endpoint& listen, const net::endpoint& remote) {
  if (auto made = network_.forward(protocol, listen, remote); !made) return made;
  forwards_[{wanted.local, wanted.protocol}] = {listen, wanted.remote};
  base::log::debug("forwarder", "exposed protocol={} local={} remote={}", wanted.protocol, wanted.local, wanted.remote);
  return {};
}

base::result<> forwarder::expose(const forwarder_api::forward& wanted, const caller_address& caller) {
  if (forwards_.contains({wanted.local, wanted.protocol})) return base::fail(forwarder_api::already_exposed(wanted));
  const auto protocol = parse_forwardable(wanted.protocol);
  if (!protocol) return base::fail("unknown protocol " + base::printable(wanted.protocol));
  const auto remote = forwarder_api::parse_remote(wanted.remote);
  if (!remote) return std::unexpected(remote.error());
  if (const auto allowed = policy_.check_remote(*remote, caller); !allowed)
    return base::fail("invalid remote addr: " + allowed.error().message());
  const auto listen = forwarder_api::parse_local(wanted.local);
  if (!listen) return base::fail(fmt::format("listen {}: {}", wanted.protocol, listen.error().message()));
  if (forwards_.size() - static_forwards_ >= most_) return base::fail(fmt::format("too many forwards: {}", most_));
  const auto made = open(*protocol, wanted, *listen, *remote);
  if (!made) return std::unexpected(listen_failure(wanted, made.error()));
  return {};
}

base::result<> forwarder::expose_static(const forwarder_api::forward& wanted) {
  if (forwards_.contains({wanted.local, wanted.protocol})) return base::fail(std::errc::file_exists, "");
  const auto listen = forwarder_api::parse_local(wanted.local), remote = forwarder_api::parse_remote(wanted.remote);
  if (!listen || !remote) return std::unexpected((listen ? remote : listen).error());
  auto made = open(net::protocol::tcp, wanted, *listen, *remote);
  if (!made) {
    const auto& why = made.error().context;
    return base::fail(made.error().code, "listen tcp " + wanted.local + (why.empty() ? "" : ": " + why));
  }
  forwards_[{wanted.local, wanted.protocol}].is_static = true;
  ++static_forwards_;
  return {};
}

base::result<> forwarder::unexpose(const forwarder_api::forward& which, const caller_address& caller) {
  const auto at = forwards_.find({which.local, which.protocol});
  const auto protocol = parse_forwardable(which.protocol);
  if (at == forwards_.end() || !protocol) return base::fail(std::string(forwarder_api::not_exposed));
  if (!policy_.may_withdraw(at->second.remote, caller)) return base::fail("the forward leads to another machine");
  network_.stop(*protocol, at->second.listen);
  if (at->second.is_static) --static_forwards_;
  forwards_.erase(at);
  base::log::debug("forwarder", "unexposed protocol={} local={}", which.protocol, which.local);
  return {};
}

std::vector<forwarder_api::forward> forwarder::all() const {
  std::vector<forwarder_api::forward> list;
  list.reserve(forwards_.size());
  for (const auto& [key, forward] : forwards_) list.push_back({key.first, forward.remote, key.second});
  return list;
}

http::response forwarder::answer_expose(const http::request& request, const caller_address& caller) {
  auto wanted = forwarder_api::parse_expose(request.body);
  if (!wanted) return http::text_response(400, wanted.error().message());
  if (wanted->protocol != "unix" && wanted->protocol != "npipe") {  // the remote of these is a URL
    auto remote = forwarder_api::complete_remote(wanted->remote, caller ? caller->to_string() : std::string());
    if (!remote) return http::text_response(400, remote.error().message());
    wanted->remote = std::move(*remote);
  }
  const auto done = expose(*wanted, caller);
  if (done) return ok();
  base::log::throttled(failures_, base::log::level::info, "forwarder", "not exposed caller={} reason=\"{}\"",
                       caller ? caller->to_string() : "owner", done.error().message());
  return http::text_response(500, done.error().message());
}

http::response forwarder::answer_unexpose(const http::request& request, const caller_address& caller) {
  const auto which = forwarder_api::parse_unexpose(request.body);
  if (!which) return http::text_response(400, which.error().message());
  const auto done = unexpose(*which, caller);
  return done ? ok() : http::text_response(500, done.error().message());
}

std::optional<http::response> forwarder::refuse(const http::request& request, std::string_view caller) {
  auto refusal = policy_.check_head(request);
  if (refusal)
    base::log::throttled(refusals_, base::log::level::warn, "forwarder", "refused a request caller={} reason=\"{}\"",
                         caller, base::trim(refusal->body));
  return refusal;
}

http::response forwarder::answer(const http::request& request, std::string_view caller) {
  if (auto refusal = refuse(request, caller)) return std::move(*refusal);
  const auto from = net::address::parse(caller);
  if (!from && policy_.names_itself_alone())
    return http::text_response(403, "403 Forbidden: a client without an address");
  return route(request, from);
}

http::response forwarder::answer_owner(const http::request& request) { return route(request, {}); }

http::response forwarder::route(const http::request& request, const caller_address& caller) {
  if (!request.target.starts_with('/')) return http::text_response(400, "400 Bad Request: not a path");
  const auto path = request.target.substr(0, request.target.find('?'));
  if (path == forwarder_api::all_path) return forwarder_api::encode_all(all());
  const bool expose_call = path == forwarder_api::expose_path;
  if (!expose_call && path != forwarder_api::unexpose_path) return http::text_response(404, "404 page not found");
  if (request.method != "POST") return http::text_response(400, "post only");
  return expose_call ? answer_expose(request, caller) : answer_unexpose(request, caller);
}

}  // namespace host_switch
