#include "programs/host_switch/control_api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/message.hpp"
#include "link/link_counters.hpp"
#include "link/mac_table.hpp"
#include "netstack/dns/server.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/statistics.hpp"
#include "port_metrics/port_metrics.hpp"
#include "program/metrics_text.hpp"
#include "protocols/forwarder_api/forward.hpp"
#include "relay/port_status.hpp"
#include "translator/link_ports.hpp"
#include "translator/shared.hpp"

namespace host_switch {
namespace {

using program::metric_kind;

http::response json(std::string body) { return {200, {{"Content-Type", "application/json"}}, std::move(body)}; }

// Members of one object; names and values need no escapes.
template <class All, class Member>
std::string object_of(const All& all, Member member) {
  std::string text = "{";
  for (const auto& one : all) text += (text.size() == 1 ? "" : ",") + member(one);
  return text + "}\n";
}

void add(std::vector<metric>& all, const netstack::statistics& stack) {
  for (const auto& one : stack.all()) all.push_back({std::string(one.name), one.value, one.is_gauge});
}

void add(std::vector<metric>& all, const translator::counters& host) {
  const auto put = [&all](const char* name, const translator::counters::number& from, bool is_gauge = false) {
    all.push_back({name, from.load(std::memory_order_relaxed), is_gauge});
  };
  put("host_connections", host.connections, true);
  put("host_connects_refused", host.connects_refused);
  put("host_clients_accepted", host.accepted);
  put("host_clients_refused", host.clients_refused);
  put("host_udp_flows", host.udp_flows, true);
  put("host_udp_flows_evicted", host.udp_flows_evicted);
  put("host_datagrams_dropped", host.datagrams_dropped);
  put("host_echo_flows", host.echo_flows, true);
  put("dns_questions_dropped", host.questions_dropped);
  put("links", host.links, true);
  put("frames_flooded", host.frames_flooded);
  put("frames_switched", host.frames_switched);
  put("frames_unknown", host.frames_unknown);
  put("frames_refused", host.frames_refused);
  put("frames_cut", host.frames_cut);
}

void add(std::vector<metric>& all, const netstack::dns::counters& dns) {
  all.push_back({"dns_questions", dns.questions});
  all.push_back({"dns_answered_locally", dns.local});
  all.push_back({"dns_asked_upstream", dns.upstream});
  all.push_back({"dns_malformed", dns.malformed});
  all.push_back({"dns_repeated", dns.repeated});
  all.push_back({"dns_refused_at_limit", dns.refused_at_limit});
  all.push_back({"dns_failed", dns.failed});
  all.push_back({"dns_expired", dns.expired});
  all.push_back({"dns_truncated", dns.truncated});
}

// "frames_flooded": "Frames flooded."
std::string help_of(std::string name) {
  std::ranges::replace(name, '_', ' ');
  if (!name.empty() && name.front() >= 'a' && name.front() <= 'z')
    name.front() = static_cast<char>(name.front() - 'a' + 'A');
  return name + ".";
}

}  // namespace

std::vector<metric> link_metrics(const std::vector<translator::link_status>& all) {
  links::link_counters sum;
  std::uint64_t with_offload = 0, blocked = 0;
  for (const auto& one : all) {
    with_offload += one.offload ? 1 : 0;
    blocked += one.blocked ? 1 : 0;
    sum.dropped += one.counters.dropped;
    sum.oversized += one.counters.oversized;
    sum.strangers += one.counters.strangers;
    sum.reads += one.counters.reads;
    sum.writes += one.counters.writes;
  }
  return {{"links_with_offload", with_offload, true},
          {"links_blocked", blocked, true},
          {"link_frames_dropped", sum.dropped},
          {"link_frames_oversized", sum.oversized},
          {"link_datagrams_of_strangers", sum.strangers},
          {"link_reads", sum.reads},
          {"link_writes", sum.writes}};
}

std::string links_as_json(const std::vector<translator::link_status>& all) {
  return object_of(all, [](const translator::link_status& one) {
    const auto& c = one.counters;
    return fmt::format(
        R"("{}":{{"offload":{},"blocked":{},"frames_in":{},"bytes_in":{},"frames_out":{},"bytes_out":{},"dropped":{}}})",
        one.id, one.offload, one.blocked, c.frames_in, c.bytes_in, c.frames_out, c.bytes_out, c.dropped);
  });
}

std::string leases_as_json(const std::vector<netstack::lease>& all) {
  return object_of(all, [](const netstack::lease& one) {
    return fmt::format(R"("{}":"{}")", netstack::ipv4::to_net(one.address).to_string(), one.mac.to_string());
  });
}

std::string stations_as_json(const std::vector<links::mac_table::station>& all) {
  return object_of(all, [](const auto& one) { return fmt::format(R"("{}":{})", one.mac.to_string(), one.link); });
}

std::string metrics_as_json(const std::vector<metric>& all) {
  return object_of(all, [](const metric& one) { return fmt::format(R"("{}":{})", one.name, one.value); });
}

std::string metrics_as_text(const std::vector<metric>& all, const std::vector<relay::port_status>& ports) {
  program::metrics_text text;
  for (const auto& one : all) {
    text.begin("host_switch_" + one.name + (one.is_gauge ? "" : "_total"),
               one.is_gauge ? metric_kind::gauge : metric_kind::counter, help_of(one.name));
    text.add({}, static_cast<double>(one.value));
  }
  port_metrics::add(text, "host_switch", ports);
  return text.take();
}

std::vector<metric> control_api::metrics() {
  std::vector<metric> all;
  add(all, network_.plane().statistics());
  add(all, network_.plane().count());
  add(all, network_.dns_counters());
  for (auto& one : link_metrics(network_.plane().links())) all.push_back(std::move(one));
  return all;
}

http::response control_api::answer(const http::request& request) {
  const std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
  if (path == forwarder_api::all_path || path == forwarder_api::expose_path || path == forwarder_api::unexpose_path)
    return forwards_.answer_owner(request);
  if (path == "/leases" || path == "/services/dhcp/leases") return json(leases_as_json(network_.plane().leases()));
  if (path == "/cam") return json(stations_as_json(network_.plane().stations()));
  if (path == "/links") return json(links_as_json(network_.plane().links()));
  if (path == "/stats") return json(metrics_as_json(metrics()));
  if (path == "/metrics")
    return {200,
            {{"Content-Type", std::string(program::metrics_content_type)}},
            metrics_as_text(metrics(), network_.plane().ports())};
  return http::text_response(404, "404 page not found");
}

}  // namespace host_switch
