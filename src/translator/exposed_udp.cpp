#include "translator/exposed_udp.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "net/endpoint.hpp"
#include "netstack/bytes.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/flow_id.hpp"
#include "netstack/time_point.hpp"
#include "os/random.hpp"
#include "relay/datagram_batch.hpp"
#include "translator/client_source.hpp"
#include "translator/shared.hpp"
#include "translator/udp_flows.hpp"

namespace translator {
namespace {

constexpr int rounds = 8;  // batches before other sockets have their turn
constexpr int tried_ports = 256;

// Where the search for free ports begins: after a restart, away from those of the last run. Without random bytes, at
// the first one.
std::uint16_t random_port() {
  std::array<std::uint8_t, 2> bytes{};
  if (!os::fill_with_random(bytes)) bytes = {};
  return static_cast<std::uint16_t>(udp_ports.first + netstack::load_16(bytes, 0) % (udp_ports.last - udp_ports.first));
}

}  // namespace

udp_clients::udp_clients(shared& common, relay::datagram_batch& batch, const client_source& sources)
    : common_(common), batch_(batch), sources_(sources), last_port_(random_port()) {}

std::size_t udp_clients::hash::operator()(const vm_side& s) const {
  const auto number = [](const netstack::endpoint& e) { return std::uint64_t{e.address.value} << 16U | e.port; };
  constexpr std::uint64_t odd = 0x9e37'79b9'7f4a'7c15;
  return static_cast<std::size_t>((number(s.vm) * odd ^ number(s.client)) * odd);
}

std::optional<netstack::endpoint> udp_clients::choose_source(netstack::endpoint vm, const net::endpoint& from) {
  auto made = sources_.of(from);
  if (made.port != 0 && !by_vm_side_.contains({vm, made})) return made;
  made.address = sources_.gateway();  // also for a client that reaches a port of the VM by two ports of the host
  for (int i = 0; i < tried_ports; ++i) {
    last_port_ = last_port_ >= udp_ports.last ? udp_ports.first : static_cast<std::uint16_t>(last_port_ + 1);
    made.port = last_port_;
    if (!by_vm_side_.contains({vm, made})) return made;
  }
  return std::nullopt;
}

udp_client* udp_clients::client_of(exposed_udp& port, netstack::endpoint vm, const net::endpoint& from,
                                   const net::socket_address& address) {
  const table::key id{&port, from};
  if (auto* const known = table_.find(id)) {
    table_.touch(*known, common_.now());
    return known->flow.get();
  }
  if (table_.size() >= most_flows) {
    increment(common_.count.udp_flows_evicted);
    end(*table_.to_make_room_for(id));
  }
  const auto source = choose_source(vm, from);
  if (!source) return nullptr;
  auto made = std::make_unique<udp_client>(&port, address, relay::local_address{}, *source);
  auto& kept = table_.add(id, std::move(made), common_.now());
  by_vm_side_[{vm, *source}] = &kept;
  increment(common_.count.udp_flows);
  port.traffic().begin();
  return kept.flow.get();
}

void udp_clients::end(table::entry& flow) {
  flow.flow->port->traffic().end();
  by_vm_side_.erase({flow.flow->port->vm(), flow.flow->in_vm});
  static_cast<void>(table_.remove(flow));
  decrement(common_.count.udp_flows);
}

void udp_clients::end_clients_of(const exposed_udp& port) {
  while (auto* const one = table_.of_listener(&port)) end(*one);
}

bool udp_clients::on(const netstack::action::datagram& d) {
  const auto at = by_vm_side_.find({d.from, d.asked});
  if (at == by_vm_side_.end()) return false;
  table_.touch(*at->second, common_.now());
  const auto& client = *at->second->flow;
  client.port->reply(client, d.payload);
  return true;
}

// A host with a closed port would answer the client with an ICMP error. A socket cannot; the flow just ends.
void udp_clients::on(const netstack::action::datagram_refused& a) {
  const auto at = by_vm_side_.find({a.to, a.from});
  if (at != by_vm_side_.end() && a.reason == std::errc::connection_refused) end(*at->second);
}

netstack::time_point udp_clients::wake_at() const {
  const auto* const oldest = table_.idle_for_longest();
  return oldest == nullptr ? netstack::time_point::max() : oldest->used + udp_idle;
}

void udp_clients::expire() {
  while (wake_at() <= common_.now()) end(*table_.idle_for_longest());
}

void exposed_udp::close() {
  clients_.end_clients_of(*this);
  clients_.common().loop.unwatch(fd_.get());
  fd_.reset();
}

bool exposed_udp::watch() { return clients_.common().loop.watch(fd_.get(), *this, 0, EPOLLIN); }

void exposed_udp::on_event(unsigned /*which*/, std::uint32_t /*events*/) {
  if (!fd_) return;
  auto& batch = clients_.batch();
  for (int round = 0; round < rounds; ++round) {
    const int got = batch.receive(fd_.get(), true);
    if (got <= 0) return;
    for (unsigned i = 0; i < static_cast<unsigned>(got); ++i) pass(i);
    if (got < static_cast<int>(relay::datagram_batch::capacity)) return;
  }
}

void exposed_udp::pass(unsigned i) {
  auto& batch = clients_.batch();
  auto& common = clients_.common();
  const auto from = net::from_sockaddr(batch.source(i));
  auto* const client = from ? clients_.client_of(*this, vm_, *from, batch.source(i)) : nullptr;
  if (client == nullptr) return increment(common.count.datagrams_dropped);
  client->local = batch.destination(i);
  traffic_.receive(batch.bytes(i).size());
  if (!common.stack.send_datagram(client->in_vm, vm_, batch.bytes(i), false, common.now()))
    increment(common.count.datagrams_dropped);
}

void exposed_udp::reply(const udp_client& to, netstack::bytes_view payload) {
  iovec bytes{const_cast<std::uint8_t*>(payload.data()), payload.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(to.address.get());
  message.msg_namelen = to.address.size;
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = to.local.size == 0 ? nullptr : const_cast<char*>(to.local.control.data());
  message.msg_controllen = to.local.size;
  for (int i = 0; i < 2; ++i) {  // the first call may return the error of an earlier datagram
    if (::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return traffic_.send(payload.size());
    if (errno == EAGAIN || errno == ENOBUFS) break;
  }
  increment(clients_.common().count.datagrams_dropped);
}

}  // namespace translator
