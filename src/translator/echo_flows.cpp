#include "translator/echo_flows.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "netstack/bytes.hpp"
#include "netstack/icmp.hpp"
#include "netstack/ipv4.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/icmp_report.hpp"
#include "os/event_loop.hpp"
#include "translator/icmp_errors.hpp"
#include "translator/shared.hpp"

namespace translator {
namespace {

constexpr std::size_t most_asked = 32;  // addresses of one flow, the latest
constexpr std::size_t largest_message = 65'535;
constexpr int most_answers = 64;  // of one flow, before others have their turn

void set(int fd, int option, int value) {
  static_cast<void>(::setsockopt(fd, IPPROTO_IP, option, &value, sizeof value));
}

}  // namespace

class echo_flow final : public os::event_handler {
 public:
  echo_flow(echo_flows& owner, netstack::ipv4::address vm, std::uint16_t id, base::unique_fd fd)
      : owner_(owner), vm_(vm), id_(id), fd_(std::move(fd)) {}

  [[nodiscard]] bool watch() { return owner_.common().loop.watch(fd_.get(), *this, 0, EPOLLIN); }
  [[nodiscard]] bool is_of(const netstack::action::echo& a) const { return a.from == vm_ && a.id == id_; }
  void close() {
    owner_.common().loop.unwatch(fd_.get());
    fd_.reset();
  }

  void on_event(unsigned /*which*/, std::uint32_t events) override {
    if (!fd_) return;
    if ((events & EPOLLERR) != 0) static_cast<void>(report_errors());
    if ((events & EPOLLIN) != 0) receive();
  }

  void ask(const netstack::action::echo& a) {
    used = owner_.common().now();
    std::erase(asked_, a.to);
    if (asked_.size() == most_asked) asked_.pop_front();
    asked_.push_back(a.to);
    set(fd_.get(), IP_TTL, a.ttl);
    set(fd_.get(), IP_MTU_DISCOVER, a.dont_fragment ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
    latest_ = a.sequence;
    int error = send(a);
    if (error == 0) return;
    const bool reported = report_errors();
    if (error != EMSGSIZE && reported) error = send(a);  // the error was of an earlier request
    if (error == ENETUNREACH) report(a.to, netstack::icmp::unreachable::network);
    if (error == EHOSTUNREACH) report(a.to, netstack::icmp::unreachable::host);
  }

  netstack::time_point used;

 private:
  // 0, or errno.
  [[nodiscard]] int send(const netstack::action::echo& a) {
    const auto message = netstack::icmp::make_echo_request(a.id, a.sequence, a.payload);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(a.to.value);
    const auto sent = ::sendto(fd_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                               reinterpret_cast<const sockaddr*>(&to), sizeof to);
    return sent < 0 ? errno : 0;
  }

  // This host's kernel has refused the latest request.
  void report(netstack::ipv4::address asked, netstack::icmp::unreachable why, std::uint16_t mtu = 0) {
    pass(latest_, {.router = owner_.gateway(),
                   .what = netstack::icmp::type::unreachable,
                   .code = static_cast<std::uint8_t>(why),
                   .mtu = mtu,
                   .from = vm_,
                   .asked = asked});
  }

  void pass(std::uint16_t sequence, netstack::icmp_report what) {
    what.protocol = netstack::ipv4::protocol::icmp;
    what.source_port_or_id = id_;
    what.destination_port_or_sequence = sequence;
    owner_.common().stack.pass_error(what, owner_.common().now());
  }

  [[nodiscard]] bool has_asked(netstack::ipv4::address host) const {
    return std::ranges::find(asked_, host) != asked_.end();
  }

  void receive() {
    static thread_local std::vector<std::uint8_t> buffer(largest_message);
    for (int i = 0; i < most_answers; ++i) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const auto got =
          ::recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < static_cast<ssize_t>(netstack::icmp::header_size)) return;
      const netstack::bytes_view message(buffer.data(), static_cast<std::size_t>(got));
      const netstack::ipv4::address who{ntohl(from.sin_addr.s_addr)};
      if (!has_asked(who)) continue;
      netstack::action::echo request;
      request.from = vm_;
      request.to = who;
      request.id = id_;
      request.sequence = netstack::load_16(message, 6);
      owner_.common().stack.send_echo_reply(request, message.subspan(netstack::icmp::header_size),
                                            owner_.common().now());
    }
  }

  // Returns whether there were any. An error of this host's kernel does not quote the request: it concerns the latest.
  bool report_errors() {
    bool any = false;
    read_errors(fd_.get(), [&](const socket_error& e) {
      any = true;
      if (!e.is_icmp && e.error == EMSGSIZE)
        report(e.destination.address, netstack::icmp::unreachable::fragmentation_needed, e.mtu);
      if (!e.is_icmp) return;
      pass(e.sequence, {.router = e.router,
                        .what = static_cast<netstack::icmp::type>(e.type),
                        .code = e.code,
                        .mtu = e.mtu,
                        .from = vm_,
                        .asked = e.destination.address});
    });
    return any;
  }

  echo_flows& owner_;
  netstack::ipv4::address vm_;
  std::uint16_t id_;
  base::unique_fd fd_;
  std::deque<netstack::ipv4::address> asked_;
  std::uint16_t latest_ = 0;  // sequence
};

echo_flows::echo_flows(shared& common, netstack::ipv4::address gateway) : common_(common), gateway_(gateway) {}

echo_flows::~echo_flows() {
  while (!flows_.empty()) end(flows_.begin());
}

void echo_flows::end(list::iterator at) {
  (*at)->close();
  common_.loop.retire(std::move(*at));
  flows_.erase(at);
  decrement(common_.count.echo_flows);
}

echo_flow* echo_flows::flow_of(const netstack::action::echo& a) {
  const auto known = std::ranges::find_if(flows_, [&](const auto& one) { return one->is_of(a); });
  if (known != flows_.end()) {
    flows_.splice(flows_.end(), flows_, known);
    return known->get();
  }
  if (flows_.size() >= most_flows) end(flows_.begin());
  base::unique_fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP));
  if (!fd) {
    base::log::throttled(denied_, base::log::level::info, "network", "echo requests are not forwarded reason=\"{}\"",
                         std::strerror(errno));
    return nullptr;
  }
  static_cast<void>(ask_for_errors(fd.get()));
  auto made = std::make_unique<echo_flow>(*this, a.from, a.id, std::move(fd));
  if (!made->watch()) return nullptr;
  increment(common_.count.echo_flows);
  return flows_.insert(flows_.end(), std::move(made))->get();
}

void echo_flows::on(const netstack::action::echo& a) {
  if (auto* const flow = flow_of(a)) flow->ask(a);
}

netstack::time_point echo_flows::wake_at() const {
  return flows_.empty() ? netstack::time_point::max() : flows_.front()->used + idle;
}

void echo_flows::expire() {
  while (wake_at() <= common_.now()) end(flows_.begin());
}

}  // namespace translator
