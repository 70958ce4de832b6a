#include "relay/udp_relay.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/endpoint.hpp"
#include "os/event_loop.hpp"
#include "relay/datagram_batch.hpp"
#include "relay/descriptor_budget.hpp"
#include "relay/port_traffic.hpp"
#include "relay/sockets.hpp"

namespace relay {
namespace {

constexpr int rounds = 8;  // batches before other handlers have their turn

}  // namespace

class udp_listener;

// One client of one listener.
class udp_flow : public os::event_handler {
 public:
  udp_flow(udp_listener& owner, const net::socket_address& client_address, base::unique_fd fd, descriptor_lease lease)
      : owner(owner), client_address(client_address), lease(std::move(lease)), fd(std::move(fd)) {}

  void on_event(unsigned which, std::uint32_t events) override;

  udp_listener& owner;
  net::socket_address client_address;
  local_address local;  // the address that the client wrote to last
  descriptor_lease lease;
  base::unique_fd fd;
  udp_relay::flows::entry* place = nullptr;  // null: retired; an event of the same batch may still come
};

class udp_listener : public os::event_handler {
 public:
  udp_listener(udp_relay& owner, base::unique_fd fd, net::endpoint target, std::shared_ptr<port_traffic> traffic)
      : owner_(owner),
        loop_(owner.loop_),
        count_(owner.count_),
        fd_(std::move(fd)),
        target_(target),
        traffic_(std::move(traffic)) {}
  ~udp_listener() override {
    loop_.unwatch(fd_.get());
    owner_.end_flows_of(this);
  }

  // False: see errno. From any thread.
  [[nodiscard]] bool watch() { return loop_.watch(fd_.get(), *this, 0, EPOLLIN); }

  // Datagrams of clients. Adjacent ones of one client are sent together.
  void on_event(unsigned /*which*/, std::uint32_t /*events*/) override {
    auto& batch = owner_.batch();
    for (int round = 0; round < rounds; ++round) {
      const int got = batch.receive(fd_.get(), true);
      if (got <= 0) return;
      const auto count = static_cast<unsigned>(got);
      for (unsigned first = 0, last = 0; first < count; first = last) {
        const auto client = net::from_sockaddr(batch.source(first));
        for (last = first + 1; last < count && net::from_sockaddr(batch.source(last)) == client; ++last) {
        }
        if (client) forward(batch, *client, first, last);
      }
      if (count < datagram_batch::capacity) return;
    }
  }

  // Replies of the target.
  void reply(udp_flow& flow) {
    auto& batch = owner_.batch();
    for (int round = 0; round < rounds; ++round) {
      const int got = batch.receive(flow.fd.get(), false);
      if (got <= 0) return;  // or an ICMP error, which receiving clears
      owner_.flows_.touch(*flow.place, loop_.now());
      drop(got - batch.send(fd_.get(), 0, static_cast<unsigned>(got), flow.client_address, flow.local));
      traffic_->send(batch.sent_bytes());
      if (got < static_cast<int>(datagram_batch::capacity)) return;
    }
  }

  [[nodiscard]] port_traffic& traffic() { return *traffic_; }

 private:
  void drop(int count) {
    if (count > 0) count_.dropped.fetch_add(static_cast<std::uint64_t>(count), std::memory_order_relaxed);
  }

  void forward(datagram_batch& batch, const net::endpoint& client, unsigned first, unsigned last) {
    auto* flow = flow_of(client, batch.source(first));
    if (flow == nullptr) return drop(static_cast<int>(last - first));
    flow->local = batch.destination(last - 1);
    owner_.flows_.touch(*flow->place, loop_.now());
    traffic_->receive(batch.size_of(first, last));
    drop(static_cast<int>(last - first) - batch.send(flow->fd.get(), first, last));
  }

  udp_flow* flow_of(const net::endpoint& client, const net::socket_address& address) {
    const udp_relay::flows::key id{this, client};
    if (auto* known = owner_.flows_.find(id)) return known->flow.get();
    auto lease = owner_.make_room(id);
    if (!lease) return nullptr;
    auto fd = open_flow(target_);
    if (!fd && out_of_resources(fd.error().code.value()) && owner_.end_one_for(id)) fd = open_flow(target_);
    if (!fd) return nullptr;
    auto made = std::make_unique<udp_flow>(*this, address, std::move(*fd), std::move(lease));
    if (!loop_.watch(made->fd.get(), *made, 0, EPOLLIN)) return nullptr;
    return owner_.keep(id, std::move(made));
  }

  udp_relay& owner_;
  os::event_loop& loop_;
  counters& count_;
  base::unique_fd fd_;
  net::endpoint target_;
  std::shared_ptr<port_traffic> traffic_;  // of all sockets of the port
};

void udp_flow::on_event(unsigned /*which*/, std::uint32_t /*events*/) {
  if (place != nullptr) owner.reply(*this);
}

udp_relay::udp_relay(os::event_loop& loop, counters& count, descriptor_budget& budget, udp_limits limits)
    : loop_(loop), count_(count), budget_(budget), limits_(limits) {}

udp_relay::~udp_relay() {
  while (auto* left = flows_.idle_for_longest()) end(*left);
}

udp_flow* udp_relay::keep(const flows::key& id, std::unique_ptr<udp_flow> flow) {
  if (!std::exchange(ticking_, true)) loop_.every(limits_.idle / 4, [this] { return ticking_ = expire(); });
  auto& kept = flows_.add(id, std::move(flow), loop_.now());
  kept.flow->place = &kept;
  kept.flow->owner.traffic().begin();
  count_.flows.fetch_add(1, std::memory_order_relaxed);
  return kept.flow.get();
}

void udp_relay::end(flows::entry& flow) {
  flow.flow->place = nullptr;
  flow.flow->owner.traffic().end();
  loop_.unwatch(flow.flow->fd.get());
  flow.flow->fd.reset();
  flow.flow->lease = {};
  loop_.retire(flows_.remove(flow));
  count_.flows.fetch_sub(1, std::memory_order_relaxed);
}

bool udp_relay::end_one_for(const flows::key& newcomer) {
  auto* const victim = flows_.to_make_room_for(newcomer);
  if (victim == nullptr) return false;
  end(*victim);
  return true;
}

// A thread holds no more flows than could still be opened: other threads need some too, and cannot end flows of this
// one.
descriptor_lease udp_relay::make_room(const flows::key& newcomer) {
  while (flows_.size() >= std::min(limits_.flows, budget_.available(descriptor_use::flow)))
    if (!end_one_for(newcomer)) break;
  return budget_.take(descriptor_use::flow);
}

void udp_relay::end_flows_of(const udp_listener* listener) {
  while (auto* one = flows_.of_listener(listener)) end(*one);
}

bool udp_relay::expire() {
  while (auto* oldest = flows_.idle_for_longest()) {
    if (loop_.now() - oldest->used < limits_.idle) return true;
    end(*oldest);
  }
  return false;
}

datagram_batch& udp_relay::batch() {
  if (!batch_) batch_ = std::make_unique<datagram_batch>();
  return *batch_;
}

base::result<std::unique_ptr<os::event_handler>> udp_relay::listen(base::unique_fd fd, const net::endpoint& target,
                                                                   std::shared_ptr<port_traffic> traffic) {
  auto made = std::make_unique<udp_listener>(*this, std::move(fd), target, std::move(traffic));
  if (!made->watch()) return base::fail_errno("");
  return made;
}

}  // namespace relay
