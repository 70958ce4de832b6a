#include "translator/plane.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/listen_key.hpp"
#include "net/protocol.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/time_point.hpp"
#include "os/event_loop.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/port_status.hpp"
#include "translator/exposed_tcp.hpp"
#include "translator/exposed_udp.hpp"
#include "translator/link_port.hpp"
#include "translator/link_ports.hpp"
#include "translator/shared.hpp"

namespace translator {
namespace {

namespace action = netstack::action;

constexpr auto never = netstack::time_point::max();
constexpr std::uint16_t dns = 53;
constexpr int most_rounds = 4;                     // of one turn
constexpr std::chrono::seconds time_to_answer{1};  // ARP, on a new link

}  // namespace

plane::plane(os::event_loop& loop, counters& count, relay::descriptor_budget& budget, plane_options options,
             base::unique_fd dns_end)
    : common_{loop, stack_, budget, count},
      stack_(options.stack, loop.now()),
      dns_service_{options.stack.gateway(), dns},
      sources_(options.sources, options.stack.gateway(), std::move(options.vm_networks)),
      tcp_(common_, options.stack.gateway()),
      udp_(common_, batch_),
      clients_(common_, batch_, sources_),
      echo_(common_, options.stack.gateway()),
      dns_(common_, dns_service_, std::move(dns_end)),
      links_(common_, options.stack.gateway_mac, [this] { return process(); }),
      grace_of_a_lost_link_(options.grace_of_a_lost_link),
      without_link_(common_.now()),
      look_for_lost_(never) {
  static_cast<void>(dns_.watch());
}

plane::~plane() {
  for (const auto& [key, port] : exposed_) port->close();
}

base::result<> plane::expose(const net::listen_key& key, base::unique_fd fd, netstack::endpoint vm) {
  std::unique_ptr<exposed_port> made;
  if (key.protocol == net::protocol::tcp)
    made = std::make_unique<exposed_tcp>(tcp_, sources_, std::move(fd), vm);
  else
    made = std::make_unique<exposed_udp>(clients_, std::move(fd), vm);
  if (!made->watch()) return base::fail_errno("");
  exposed_[key] = std::move(made);
  return {};
}

void plane::stop(const net::listen_key& key) {
  const auto at = exposed_.find(key);
  if (at == exposed_.end()) return;
  at->second->close();
  common_.loop.retire(std::move(at->second));
  exposed_.erase(at);
}

std::vector<relay::port_status> plane::ports() const {
  std::vector<relay::port_status> all;
  all.reserve(exposed_.size());
  for (const auto& [key, port] : exposed_) all.push_back(relay::status_of(key, port->traffic()));
  return all;
}

base::result<> plane::add_link(any_link link, silence of_peer, std::function<void(base::error)> over) {
  auto added = links_.add(std::move(link), of_peer, [this, over = std::move(over)](const base::error& why) {
    look_for_lost_ = common_.now();
    over(why);
  });
  if (!added) return added;
  without_link_ = never;
  if (look_for_lost_ != never)
    look_for_lost_ = common_.now() + time_to_answer;  // the stack has sent its VM an ARP request
  return added;
}

void plane::on_datagram(const action::datagram& d) {
  if (d.to == dns_service_) return dns_.ask(d);
  if (clients_.on(d)) return;
  if (d.to.address != dns_service_.address) return udp_.on(d);
  udp_.settle();  // what it has collected is valid only until the next call of the stack
  stack_.datagram_failed(d.from, d.asked, ECONNREFUSED, 0, common_.now());  // a client that has ended
}

bool plane::process() {
  bool any = false;
  while (auto next = stack_.next_action()) {
    any = true;
    if (const auto* const d = std::get_if<action::datagram>(&*next)) {
      on_datagram(*d);
      continue;
    }
    udp_.settle();  // what it has collected is valid only until the next call of the stack
    std::visit(
        [this](const auto& a) {
          if constexpr (requires { tcp_.on(a); })
            tcp_.on(a);
          else if constexpr (requires { echo_.on(a); })
            echo_.on(a);
          else if constexpr (std::is_same_v<std::decay_t<decltype(a)>, action::datagram_refused>)
            clients_.on(a);
        },
        *next);
  }
  udp_.settle();
  return any;
}

void plane::expire() {
  const auto now = common_.now();
  if (stack_.wake_at() <= now) stack_.on_time(now);
  tcp_.expire();
  udp_.expire();
  clients_.expire();
  echo_.expire();
  if (look_for_lost_ <= now) look_for_lost_ = tcp_.reset_lost(grace_of_a_lost_link_);
  if (links_.size() > 0) return;
  if (without_link_ == never) without_link_ = now;
  if (now - without_link_ >= grace_of_a_lost_link_) tcp_.reset_all();
}

netstack::time_point plane::finish_turn() {
  expire();
  bool more = tcp_.run_again();
  process();
  links_.transmit();
  for (int i = 0; i < most_rounds && process(); ++i) {  // what was sent has made room for more
    links_.transmit();
    more = more || i + 1 == most_rounds;
  }
  if (more) return common_.now();
  auto due = std::min({look_for_lost_, stack_.wake_at(), tcp_.wake_at(), udp_.wake_at(), clients_.wake_at(),
                       echo_.wake_at(), links_.wake_at()});
  if (links_.size() == 0) {
    if (without_link_ == never) without_link_ = common_.now();
    const auto end = without_link_ + grace_of_a_lost_link_;
    if (end > common_.now()) due = std::min(due, end);
  }
  return due;
}

}  // namespace translator
