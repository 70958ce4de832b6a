#include "translator/udp_flow.hpp"

#include <netinet/in.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "net/endpoint.hpp"
#include "netstack/icmp.hpp"
#include "netstack/ipv4.hpp"
#include "translator/icmp_errors.hpp"
#include "translator/outgoing_datagrams.hpp"
#include "translator/shared.hpp"
#include "translator/udp_flows.hpp"

namespace translator {
namespace {

constexpr int rounds = 8;  // batches before other sockets have their turn

}  // namespace

void asked_addresses::add(netstack::ipv4::address asked, netstack::ipv4::address host) {
  if (!pairs_.empty() && pairs_.front().asked == asked && pairs_.front().host == host) return;
  const auto at = std::ranges::find(pairs_, host, &pair::host);
  if (at == pairs_.end()) {
    if (pairs_.size() == most) pairs_.pop_back();
    pairs_.insert(pairs_.begin(), {asked, host});
    return;
  }
  at->asked = asked;
  std::rotate(pairs_.begin(), at, at + 1);
}

std::optional<netstack::ipv4::address> asked_addresses::name_of(netstack::ipv4::address host) const {
  const auto at = std::ranges::find(pairs_, host, &pair::host);
  return at == pairs_.end() ? std::nullopt : std::optional(at->asked);
}

bool udp_flow::watch() { return owner_.common().loop.watch(fd_.get(), *this, 0, EPOLLIN); }

void udp_flow::on_event(unsigned /*which*/, std::uint32_t events) {
  if (!fd_) return;
  if ((events & EPOLLERR) != 0) report_errors();
  if ((events & EPOLLIN) != 0) receive();
}

void udp_flow::receive() {
  auto& batch = owner_.batch();
  auto& stack = owner_.common().stack;
  for (int round = 0; round < rounds; ++round) {
    const int got = batch.receive(fd_.get(), true);
    if (got <= 0) return;
    owner_.touch(*this);
    for (unsigned i = 0; i < static_cast<unsigned>(got); ++i) {
      const auto from = net::from_sockaddr(batch.source(i));
      if (!from || !from->ip.is_v4()) continue;
      const auto name = asked_.name_of(netstack::ipv4::from_net(from->ip));
      if (!name || !stack.send_datagram({*name, from->port}, vm_, batch.bytes(i), false, owner_.common().now()))
        increment(owner_.common().count.datagrams_dropped);
    }
    if (got < static_cast<int>(relay::datagram_batch::capacity)) return;
  }
}

void udp_flow::set_dont_fragment(bool on) {
  if (dont_fragment_ == on) return;
  dont_fragment_ = on;
  const int mode = on ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;
  ::setsockopt(fd_.get(), IPPROTO_IP, IP_MTU_DISCOVER, &mode, sizeof mode);
}

// The error queue has the datagrams that were too large, with the path's MTU; epoll reports it.
void udp_flow::send(outgoing_datagrams& all, bool dont_fragment) {
  set_dont_fragment(dont_fragment);
  auto& done = owner_.last_outcome();
  all.send(fd_.get(), done);
  increment(owner_.common().count.datagrams_dropped, done.dropped);
  for (std::size_t i = 0; i < done.failures; ++i) {
    const auto& one = done.failed[i];
    if (one.error != EMSGSIZE)
      owner_.note_failure({vm_, one.asked, one.error});
    else if (too_large_.size() < outgoing_datagrams::capacity)
      too_large_.push_back(one.asked);
  }
}

// The kernel's own refusal of a datagram names its address and the MTU, but of an unconnected socket no port, and it
// may come twice.
void udp_flow::report_too_large(netstack::ipv4::address asked, std::uint16_t mtu) {
  for (const auto& one : too_large_)
    if (one.address == asked) owner_.common().stack.datagram_failed(vm_, one, EMSGSIZE, mtu, owner_.common().now());
  std::erase_if(too_large_, [asked](const auto& one) { return one.address == asked; });
}

void udp_flow::report_errors() {
  read_errors(fd_.get(), [this](const socket_error& e) {
    auto& stack = owner_.common().stack;
    const auto now = owner_.common().now();
    const auto asked = asked_.name_of(e.destination.address);
    if (!asked) return;
    if (!e.is_icmp) return report_too_large(*asked, e.mtu);
    stack.pass_error({.router = e.router == e.destination.address ? *asked : e.router,
                      .what = static_cast<netstack::icmp::type>(e.type),
                      .code = e.code,
                      .mtu = e.mtu,
                      .protocol = netstack::ipv4::protocol::udp,
                      .from = vm_.address,
                      .asked = *asked,
                      .source_port_or_id = vm_.port,
                      .destination_port_or_sequence = e.destination.port},
                     now);
  });
}

void udp_flow::close() {
  owner_.common().loop.unwatch(fd_.get());
  fd_.reset();
  lease_ = {};
}

}  // namespace translator
