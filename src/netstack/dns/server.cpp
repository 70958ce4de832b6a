#include "netstack/dns/server.hpp"

#include <cstddef>
#include <optional>
#include <utility>

#include "net/address.hpp"
#include "netstack/bytes.hpp"
#include "netstack/dns/name.hpp"
#include "netstack/dns/pending.hpp"
#include "netstack/dns/query.hpp"
#include "netstack/dns/response.hpp"
#include "netstack/dns/zones.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/time_point.hpp"

namespace netstack::dns {
namespace {

constexpr std::size_t most_tcp = 65'535;

record address_record(const net::address& a) {
  const std::size_t size = a.is_v4() ? 4 : 16;
  return {.type = a.is_v4() ? record_type::a : record_type::aaaa, .data = {a.data(), a.data() + size}};
}

// The asking machine (RFC 6761, 6.3).
std::optional<response> answer_from_localhost(const query& q) {
  static const auto localhost = name::from_text("localhost").value_or(name());
  if (!q.asked.is_within(localhost)) return std::nullopt;
  response r;
  if (q.type == record_type::a) r.answers.push_back(address_record(net::address::loopback_v4()));
  if (q.type == record_type::aaaa) r.answers.push_back(address_record(net::address::loopback_v6()));
  return r;
}

// Questions that never go to an upstream, whatever the name.
std::optional<rcode> refusal(const query& q) {
  if (q.edns && q.edns->version != 0) return rcode::bad_version;
  if (q.asked_class != class_internet || q.type == record_type::axfr || q.type == record_type::ixfr)
    return rcode::refused;
  return std::nullopt;
}

}  // namespace

server::server(settings s, zones known)
    : settings_(std::move(s)), zones_(std::move(known)), pending_(settings_.limits, settings_.random_id) {}

std::size_t server::limit(const client& to, const query& q) const {
  return to.transport == transport::tcp ? most_tcp : udp_limit(q, settings_.most_udp);
}

outcome server::on_question(const client& from, bytes_view bytes, time_point now) {
  ++counted_.questions;
  const auto q = parse_query(bytes);
  if (!q) {
    const auto& code = q.error();
    ++(code ? counted_.malformed : counted_.dropped);
    if (!code) return dropped{};
    return answer{.to = from, .bytes = write_error(bytes, *code)};
  }
  if (const auto code = refusal(*q)) {
    ++counted_.malformed;
    return answer{.to = from, .bytes = write(*q, {.code = *code}, limit(from, *q))};
  }
  if (const auto local = answer_locally(*q)) {
    ++counted_.local;
    return answer{.to = from, .bytes = write(*q, *local, limit(from, *q))};
  }
  return ask(from, *q, bytes, now);
}

outcome server::ask(const client& from, const query& q, bytes_view bytes, time_point now) {
  const auto started = pending_.add(from, bytes, now);
  if (!started && started.error() == pending::refusal::repeated) {
    ++counted_.repeated;
    return dropped{};
  }
  if (!started) {
    ++counted_.refused_at_limit;
    return fail(from, q);
  }
  ++counted_.upstream;
  ask_upstream asked{.token = started->token, .question = {bytes.begin(), bytes.end()}};
  store_16(asked.question, 0, started->upstream_id);
  return asked;
}

std::optional<response> server::answer_locally(const query& q) const {
  if (auto known = answer_from_zones(q)) return known;
  if (auto known = answer_from_localhost(q)) return known;
  if (auto known = answer_from_hosts(q)) return known;
  if (q.type == record_type::aaaa && !settings_.aaaa) return response{};
  return std::nullopt;
}

std::optional<response> server::answer_from_zones(const query& q) const {
  const auto found = zones_.find(q.asked);
  if (!found) return std::nullopt;
  response r{.code = found->exists ? rcode::no_error : rcode::name_error, .authoritative = true};
  const bool any = q.type == record_type::any;
  if (q.type == record_type::a || any)
    for (const auto address : found->addresses) r.answers.push_back(address_record(ipv4::to_net(address)));
  if ((q.type == record_type::soa || any) && q.asked == *found->zone)
    r.answers.push_back({.type = record_type::soa, .data = soa_data(*found->zone)});
  if (r.answers.empty()) r.zone = found->zone;
  return r;
}

std::optional<response> server::answer_from_hosts(const query& q) const {
  if (q.type == record_type::ptr) return answer_from_address(q);
  const bool v4 = q.type == record_type::a;
  if (!v4 && (q.type != record_type::aaaa || !settings_.aaaa)) return std::nullopt;
  response r;
  for (auto address : hosts_.addresses_of(q.asked)) {
    if (address.is_loopback() && address.is_v4() && settings_.host) address = ipv4::to_net(*settings_.host);
    if (address.is_v4() == v4 && !address.is_loopback()) r.answers.push_back(address_record(address));
  }
  return r.answers.empty() ? std::nullopt : std::optional(std::move(r));
}

std::optional<response> server::answer_from_address(const query& q) const {
  const auto address = q.asked.reverse_address();
  if (!address) return std::nullopt;
  response r;
  for (const auto& host : hosts_.names_of(*address)) {
    const auto wire = host.wire();
    r.answers.push_back({.type = record_type::ptr, .data = {wire.begin(), wire.end()}});
  }
  return r.answers.empty() ? std::nullopt : std::optional(std::move(r));
}

answer server::fail(const client& to, const query& q) const {
  return {.to = to, .bytes = write(q, {.code = rcode::server_failure}, limit(to, q))};
}

// The upstream does not know the hosts file's names. A resolver in the VM that caches its denial would take it for all
// types of the name (RFC 8020).
bool server::denies_a_known_name(const query& q, bytes_view message) const {
  const auto code = static_cast<rcode>(load_16(message, 2) & header_bit::code);
  return code == rcode::name_error && !hosts_.addresses_of(q.asked).empty();
}

std::optional<answer> server::on_upstream(token t, std::optional<bytes_view> bytes) {
  const auto asked = pending_.take(t);
  if (!asked) return std::nullopt;
  const auto q = parse_query(asked->bytes);
  if (!bytes || bytes->size() > most_tcp || !is_answer(*bytes, *q)) {
    ++counted_.failed;
    return fail(asked->from, *q);
  }
  const auto most = limit(asked->from, *q);
  if (denies_a_known_name(*q, *bytes)) return answer{.to = asked->from, .bytes = write(*q, {}, most)};
  if (bytes->size() > most) ++counted_.truncated;
  return answer{.to = asked->from, .bytes = relay(*bytes, *q, most)};
}

std::optional<answer> server::next_expired(time_point now) {
  const auto asked = pending_.take_expired(now);
  if (!asked) return std::nullopt;
  ++counted_.expired;
  return fail(asked->from, *parse_query(asked->bytes));
}

}  // namespace netstack::dns
