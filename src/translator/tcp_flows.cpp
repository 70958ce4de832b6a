#include "translator/tcp_flows.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/flow_id.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/port_share.hpp"
#include "relay/sockets.hpp"
#include "translator/shared.hpp"

namespace translator {

namespace action = netstack::action;

namespace {
constexpr std::chrono::milliseconds wait_for_memory{1};
constexpr std::chrono::seconds look_for_vms{1};  // a VM that returns and is lost again gets the full grace again
}  // namespace

net::endpoint to_net(const netstack::endpoint& e) { return {netstack::ipv4::to_net(e.address), e.port}; }

tcp_flows::~tcp_flows() {
  for (const auto& flow : flows_)
    if (flow) flow->close(true);
}

tcp_flow* tcp_flows::find(netstack::flow_id id) const {
  auto* const flow = id.index < flows_.size() ? flows_[id.index].get() : nullptr;
  return flow != nullptr && flow->id() == id ? flow : nullptr;
}

tcp_flow& tcp_flows::keep(std::unique_ptr<tcp_flow> flow) {
  const auto index = flow->id().index;
  if (index >= flows_.size()) flows_.resize(index + 1);
  if (flows_[index]) end(*flows_[index], false);  // its action::closed is still queued
  increment(common_.count.connections);
  flows_[index] = std::move(flow);
  return *flows_[index];
}

void tcp_flows::end(tcp_flow& flow, bool reset) {
  flow.close(reset);
  decrement(common_.count.connections);
  common_.loop.retire(std::move(flows_[flow.id().index]));
}

const service* tcp_flows::service_at(const netstack::endpoint& to) const {
  if (to.address != gateway_) return nullptr;
  const auto at = std::ranges::find(services_, to.port, [](const auto& one) { return one.first; });
  return at == services_.end() ? nullptr : &at->second;
}

void tcp_flows::fail(netstack::flow_id id, int error) {
  if (relay::out_of_resources(error)) increment(common_.count.connects_refused);
  common_.stack.connect_failed(id, error, common_.now());
}

void tcp_flows::on(const action::connect& a) {
  if (const auto* to = service_at(a.to)) return hand_over(a, *to);
  if (a.to.address == gateway_) return fail(a.flow, ECONNREFUSED);
  dial(a);
}

// The service owns the other end of the pair. A connection to it never uses a port of the host.
void tcp_flows::hand_over(const action::connect& a, const service& to) {
  auto lease = common_.budget.take(relay::descriptor_use::connection);
  if (!lease) return fail(a.flow, EMFILE);
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) != 0)
    return fail(a.flow, errno);
  base::unique_fd here(pair[0]), there(pair[1]);
  if (!to(std::move(there), to_net(a.from))) return fail(a.flow, ECONNREFUSED);
  auto& flow = keep(std::make_unique<tcp_flow>(*this, a.flow, std::move(here), tcp_flow::state::connecting));
  flow.lease = std::move(lease);
  flow.vm = a.from.address;
  if (!flow.watch()) return connect_failed(flow, errno);
  connected(flow);
}

void tcp_flows::dial(const action::connect& a) {
  auto lease = common_.budget.take(relay::descriptor_use::connection);
  if (!lease) return fail(a.flow, EMFILE);
  auto made = relay::dial(net::to_sockaddr(to_net(a.to)));
  if (!made) return fail(a.flow, made.error().code.value());
  auto& flow = keep(std::make_unique<tcp_flow>(*this, a.flow, std::move(made->fd), tcp_flow::state::connecting));
  flow.lease = std::move(lease);
  flow.vm = a.from.address;
  if (!flow.watch()) return connect_failed(flow, errno);
  if (made->connected) connected(flow);
}

void tcp_flows::connected(tcp_flow& flow) {
  common_.stack.connected(flow.id(), common_.now());
  flow.relay();
}

void tcp_flows::connect_failed(tcp_flow& flow, int error) {
  fail(flow.id(), error);
  end(flow, true);
}

void tcp_flows::open(base::unique_fd client, relay::connection_ticket ticket, netstack::endpoint from,
                     netstack::endpoint to) {
  increment(common_.count.accepted);
  const auto id = common_.stack.open(from, to, common_.now());
  if (!id) {
    increment(common_.count.clients_refused);
    return relay::reset_on_close(client.get());
  }
  auto& flow = keep(std::make_unique<tcp_flow>(*this, *id, std::move(client), tcp_flow::state::opening));
  flow.ticket = std::move(ticket);
  flow.vm = to.address;
  if (flow.watch()) return;
  increment(common_.count.clients_refused);
  common_.stack.abort(*id, common_.now());
  end(flow, true);
}

void tcp_flows::on(const action::established& a) {
  if (auto* flow = find(a.flow)) flow->relay();
}

void tcp_flows::on(const action::refused& a) {
  if (auto* flow = find(a.flow)) refuse(*flow);
}

void tcp_flows::refuse(tcp_flow& client) {
  increment(common_.count.clients_refused);
  explain(client);
  end(client, true);
}

void tcp_flows::explain(const tcp_flow& refused) {
  if (common_.stack.is_located(refused.vm)) return;
  std::string present;
  for (const auto& one : common_.stack.leases())
    if (common_.stack.is_located(one.address))
      present += (present.empty() ? "" : ",") + netstack::ipv4::to_net(one.address).to_string();
  base::log::throttled(no_vm_, base::log::level::warn, "network", "no VM has the address of a forward vm={} present={}",
                       netstack::ipv4::to_net(refused.vm).to_string(), present.empty() ? "none" : present);
}

void tcp_flows::on(const action::readable& a) {
  if (auto* flow = find(a.flow)) flow->push();
}

void tcp_flows::on(const action::writable& a) {
  if (auto* flow = find(a.flow)) flow->pull();
}

void tcp_flows::on(const action::finished& a) {
  if (auto* flow = find(a.flow)) flow->finish();
}

void tcp_flows::on(const action::reset& a) {
  if (auto* flow = find(a.flow)) end(*flow, true);
}

void tcp_flows::on(const action::closed& a) {
  if (auto* flow = find(a.flow)) end(*flow, false);
}

bool tcp_flows::run_again() {
  for (const auto id : std::exchange(again_, {}))
    if (auto* flow = find(id)) flow->pull();
  return !again_.empty();
}

void tcp_flows::push_later(tcp_flow& flow) {
  if (std::exchange(flow.pushes_later, true)) return;
  to_push_.push_back(flow.id());
  push_at_ = std::min(push_at_, common_.now() + wait_for_memory);
}

void tcp_flows::expire() {
  if (push_at_ > common_.now()) return;
  push_at_ = netstack::time_point::max();
  for (const auto id : std::exchange(to_push_, {})) {
    auto* const flow = find(id);
    if (flow == nullptr) continue;
    flow->pushes_later = false;
    flow->push();
  }
}

bool tcp_flows::is_lost(tcp_flow& flow) const {
  const bool lost = flow.now() != tcp_flow::state::opening && !common_.stack.is_located(flow.vm);
  flow.lost_since = lost ? std::min(flow.lost_since, common_.now()) : netstack::time_point::max();
  return lost;
}

netstack::time_point tcp_flows::reset_lost(std::chrono::milliseconds grace) {
  auto next = netstack::time_point::max();
  for (const auto& flow : flows_) {
    if (!flow || !is_lost(*flow)) continue;
    const auto due = flow->lost_since + grace;
    if (due > common_.now()) {
      next = std::min({next, due, common_.now() + look_for_vms});
      continue;
    }
    common_.stack.abort(flow->id(), common_.now());
    end(*flow, true);
  }
  return next;
}

void tcp_flows::reset_all() {
  for (const auto& flow : flows_) {
    if (!flow) continue;
    common_.stack.abort(flow->id(), common_.now());
    if (flow->now() == tcp_flow::state::opening)
      refuse(*flow);
    else
      end(*flow, true);
  }
}

}  // namespace translator
