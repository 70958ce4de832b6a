#include "relay/udp_relay.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <cstring>
#include <list>
#include <map>
#include <utility>

#include "base/log.hpp"
#include "relay/datagram_batch.hpp"

namespace relay {
namespace {

constexpr int rounds = 8;  // batches before others get their turn

}  // namespace

class udp_listener;

// One client of one listener.
class udp_flow : public event_handler {
 public:
  udp_flow(udp_listener& owner, net::endpoint client, const net::socket_address& client_address, base::unique_fd fd)
      : owner_(owner), client_(client), client_address_(client_address), fd_(std::move(fd)) {}

  void on_event(unsigned which, std::uint32_t events) override;

  udp_listener& owner_;
  net::endpoint client_;
  net::socket_address client_address_;
  local_address local_;  // what the client wrote to last
  base::unique_fd fd_;
  clock::time_point used_;
  bool over_ = false;  // retired: an event of the same batch may still come
};

class udp_listener : public event_handler {
 public:
  udp_listener(event_loop& loop, counters& count, udp_limits limits, datagram_batch& batch, base::unique_fd fd, net::endpoint target)
      : loop_(loop), count_(count), limits_(limits), batch_(batch), fd_(std::move(fd)), target_(target) {
    if (!loop_.watch(fd_.get(), *this, 0, EPOLLIN)) base::log::error("relay", "cannot watch a listener: {}", std::strerror(errno));
  }
  ~udp_listener() override {
    *alive_ = false;
    loop_.unwatch(fd_.get());
    for (const auto& flow : by_use_) loop_.unwatch(flow->fd_.get());
    count_.flows.fetch_sub(by_use_.size(), std::memory_order_relaxed);
  }

  // Datagrams of clients. Neighbours of one client are sent on together.
  void on_event(unsigned /*which*/, std::uint32_t /*events*/) override {
    for (int round = 0; round < rounds; ++round) {
      const int got = batch_.receive(fd_.get(), true);
      if (got <= 0) return;
      const auto count = static_cast<unsigned>(got);
      for (unsigned first = 0, last = 0; first < count; first = last) {
        const auto client = net::from_sockaddr(batch_.source(first));
        for (last = first + 1; last < count && net::from_sockaddr(batch_.source(last)) == client; ++last) {
        }
        if (client) forward(*client, first, last);
      }
      if (count < datagram_batch::capacity) return;
    }
  }

  // Replies of the target.
  void reply(udp_flow& flow) {
    for (int round = 0; round < rounds; ++round) {
      const int got = batch_.receive(flow.fd_.get(), false);
      if (got <= 0) return;  // also an ICMP error, which receiving has cleared
      touch(flow);
      drop(got - batch_.send(fd_.get(), 0, static_cast<unsigned>(got), flow.client_address_, flow.local_));
      if (got < static_cast<int>(datagram_batch::capacity)) return;
    }
  }

 private:
  using flow_list = std::list<std::unique_ptr<udp_flow>>;

  void drop(int count) {
    if (count > 0) count_.dropped.fetch_add(static_cast<std::uint64_t>(count), std::memory_order_relaxed);
  }

  void forward(const net::endpoint& client, unsigned first, unsigned last) {
    auto* flow = flow_of(client, first);
    if (flow == nullptr) return drop(static_cast<int>(last - first));
    flow->local_ = batch_.destination(last - 1);
    touch(*flow);
    drop(static_cast<int>(last - first) - batch_.send(flow->fd_.get(), first, last));
  }

  udp_flow* flow_of(const net::endpoint& client, unsigned index) {
    const auto known = flows_.find(client);
    if (known != flows_.end()) return known->second->get();
    if (by_use_.size() >= limits_.flows) end_oldest();
    auto fd = open_toward(net::protocol::udp, target_);
    if (!fd && out_of_resources(fd.error().code.value()) && !by_use_.empty()) {
      end_oldest();
      fd = open_toward(net::protocol::udp, target_);
    }
    if (!fd) return nullptr;
    auto made = std::make_unique<udp_flow>(*this, client, batch_.source(index), std::move(*fd));
    if (!loop_.watch(made->fd_.get(), *made, 0, EPOLLIN)) return nullptr;
    if (!std::exchange(ticking_, true)) loop_.every(limits_.idle / 4, [this, alive = alive_] { return *alive && (ticking_ = expire()); });
    by_use_.push_back(std::move(made));
    flows_.emplace(client, std::prev(by_use_.end()));
    count_.flows.fetch_add(1, std::memory_order_relaxed);
    return by_use_.back().get();
  }

  void touch(udp_flow& flow) {
    flow.used_ = loop_.now();
    by_use_.splice(by_use_.end(), by_use_, flows_.at(flow.client_));
  }

  void end_oldest() {
    by_use_.front()->over_ = true;
    flows_.erase(by_use_.front()->client_);
    loop_.unwatch(by_use_.front()->fd_.get());
    loop_.retire(std::move(by_use_.front()));
    by_use_.pop_front();
    count_.flows.fetch_sub(1, std::memory_order_relaxed);
  }

  bool expire() {
    while (!by_use_.empty() && loop_.now() - by_use_.front()->used_ >= limits_.idle) end_oldest();
    return !by_use_.empty();
  }

  event_loop& loop_;
  counters& count_;
  udp_limits limits_;
  datagram_batch& batch_;
  base::unique_fd fd_;
  net::endpoint target_;
  flow_list by_use_;  // the one idle for longest first
  std::map<net::endpoint, flow_list::iterator> flows_;
  bool ticking_ = false;  // somebody calls expire() from time to time
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

void udp_flow::on_event(unsigned /*which*/, std::uint32_t /*events*/) {
  if (!over_) owner_.reply(*this);
}

udp_relay::udp_relay(event_loop& loop, counters& count, udp_limits limits) : loop_(loop), count_(count), limits_(limits) {}
udp_relay::~udp_relay() = default;

datagram_batch& udp_relay::batch() {
  if (!batch_) batch_ = std::make_unique<datagram_batch>();
  return *batch_;
}

std::unique_ptr<event_handler> udp_relay::listen(base::unique_fd fd, net::endpoint target) {
  return std::make_unique<udp_listener>(loop_, count_, limits_, batch(), std::move(fd), target);
}

}  // namespace relay
