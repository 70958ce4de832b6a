#include "translator/udp_flows.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/unique_fd.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/flow_id.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/sockets.hpp"
#include "translator/icmp_errors.hpp"
#include "translator/shared.hpp"
#include "translator/udp_flow.hpp"

namespace translator {
namespace {

constexpr int buffer_bytes = 1 << 20;

std::uint64_t key_of(const netstack::endpoint& e) { return std::uint64_t{e.address.value} << 16U | e.port; }

void widen(int fd, int option) {
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, option, &buffer_bytes, sizeof buffer_bytes));
}

base::unique_fd open_socket() {
  base::unique_fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  widen(fd.get(), SO_RCVBUF);
  widen(fd.get(), SO_SNDBUF);
  return ask_for_errors(fd.get()) ? std::move(fd) : base::unique_fd();
}

}  // namespace

udp_flows::~udp_flows() { end_all(); }

void udp_flows::touch(udp_flow& flow) {
  flow.used = common_.now();
  by_use_.splice(by_use_.end(), by_use_, flow.place);
}

void udp_flows::end(udp_flow& flow) {
  if (collects_for_ == &flow) send_collected();
  flow.close();
  by_use_.erase(flow.place);
  const auto at = flows_.find(key_of(flow.vm()));
  common_.loop.retire(std::move(at->second));
  flows_.erase(at);
  decrement(common_.count.udp_flows);
}

bool udp_flows::end_oldest() {
  if (by_use_.empty()) return false;
  increment(common_.count.udp_flows_evicted);
  end(*by_use_.front());
  return true;
}

udp_flow* udp_flows::open(const netstack::endpoint& vm) {
  if (flows_.size() >= most_flows) end_oldest();
  auto lease = common_.budget.take(relay::descriptor_use::flow);
  if (!lease && end_oldest()) lease = common_.budget.take(relay::descriptor_use::flow);
  if (!lease) return nullptr;
  auto fd = open_socket();
  if (!fd && relay::out_of_resources(errno) && end_oldest()) fd = open_socket();
  if (!fd) return nullptr;
  auto made = std::make_unique<udp_flow>(*this, vm, std::move(fd), std::move(lease));
  if (!made->watch()) return nullptr;
  made->used = common_.now();
  made->place = by_use_.insert(by_use_.end(), made.get());
  increment(common_.count.udp_flows);
  return (flows_[key_of(vm)] = std::move(made)).get();
}

udp_flow* udp_flows::flow_of(const netstack::endpoint& vm) {
  if (collects_for_ != nullptr && collects_for_->vm() == vm) return collects_for_;
  const auto at = flows_.find(key_of(vm));
  return at == flows_.end() ? open(vm) : at->second.get();
}

void udp_flows::on(const netstack::action::datagram& d) {
  auto* const flow = flow_of(d.from);
  if (flow == nullptr) return increment(common_.count.datagrams_dropped);
  if (flow != collects_for_ || d.dont_fragment != dont_fragment_ || collected_.is_full()) send_collected();
  if (collects_for_ == nullptr) touch(*flow);
  collects_for_ = flow;
  dont_fragment_ = d.dont_fragment;
  flow->note_asked(d);
  collected_.add(d);
}

void udp_flows::send_collected() {
  auto* const flow = std::exchange(collects_for_, nullptr);
  if (flow != nullptr && !collected_.empty()) flow->send(collected_, dont_fragment_);
}

void udp_flows::note_failure(const failure& what) {
  if (failures_.size() < most_failures) failures_.push_back(what);
}

void udp_flows::settle() {
  send_collected();
  for (const auto& one : failures_) common_.stack.datagram_failed(one.vm, one.asked, one.error, 0, common_.now());
  failures_.clear();
}

netstack::time_point udp_flows::wake_at() const {
  return by_use_.empty() ? netstack::time_point::max() : by_use_.front()->used + udp_idle;
}

void udp_flows::expire() {
  while (!by_use_.empty() && wake_at() <= common_.now()) end(*by_use_.front());
}

void udp_flows::end_all() {
  while (!by_use_.empty()) end(*by_use_.front());
}

}  // namespace translator
