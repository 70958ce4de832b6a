#include "relay/udp_relay.hpp"

#include <sys/epoll.h>

#include <list>
#include <map>
#include <utility>

#include "relay/datagram_batch.hpp"
#include "relay/sockets.hpp"

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
  std::list<std::unique_ptr<udp_flow>>::iterator place_{};  // in the listener's order of use
  bool over_ = false;                                       // retired: an event of the same batch may still come
};

class udp_listener : public event_handler {
 public:
  udp_listener(udp_relay& owner, base::unique_fd fd, net::endpoint target)
      : owner_(owner),
        loop_(owner.loop_),
        count_(owner.count_),
        limits_(owner.limits_),
        fd_(std::move(fd)),
        target_(target) {}
  ~udp_listener() override {
    *alive_ = false;
    loop_.unwatch(fd_.get());
    for (const auto& flow : by_use_) loop_.unwatch(flow->fd_.get());
    count_.flows.fetch_sub(by_use_.size(), std::memory_order_relaxed);
  }

  // False: errno says why not. From any thread.
  [[nodiscard]] bool watch() { return loop_.watch(fd_.get(), *this, 0, EPOLLIN); }

  // Datagrams of clients. Neighbours of one client are sent on together.
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
      const int got = batch.receive(flow.fd_.get(), false);
      if (got <= 0) return;  // also an ICMP error, which receiving has cleared
      touch(flow);
      drop(got - batch.send(fd_.get(), 0, static_cast<unsigned>(got), flow.client_address_, flow.local_));
      if (got < static_cast<int>(datagram_batch::capacity)) return;
    }
  }

 private:
  using flow_list = std::list<std::unique_ptr<udp_flow>>;  // stays sorted by use

  void drop(int count) {
    if (count > 0) count_.dropped.fetch_add(static_cast<std::uint64_t>(count), std::memory_order_relaxed);
  }

  void forward(datagram_batch& batch, const net::endpoint& client, unsigned first, unsigned last) {
    auto* flow = flow_of(client, batch.source(first));
    if (flow == nullptr) return drop(static_cast<int>(last - first));
    flow->local_ = batch.destination(last - 1);
    touch(*flow);
    drop(static_cast<int>(last - first) - batch.send(flow->fd_.get(), first, last));
  }

  udp_flow* flow_of(const net::endpoint& client, const net::socket_address& address) {
    const auto known = flows_.find(client);
    if (known != flows_.end()) return known->second;
    if (by_use_.size() >= limits_.flows) end_oldest();
    auto fd = open_flow(target_);
    if (!fd && out_of_resources(fd.error().code.value()) && !by_use_.empty()) {
      end_oldest();
      fd = open_flow(target_);
    }
    if (!fd) return nullptr;
    auto made = std::make_unique<udp_flow>(*this, client, address, std::move(*fd));
    if (!loop_.watch(made->fd_.get(), *made, 0, EPOLLIN)) return nullptr;
    if (!std::exchange(ticking_, true))
      loop_.every(limits_.idle / 4, [this, alive = alive_] { return *alive && (ticking_ = expire()); });
    auto& flow = *by_use_.emplace_back(std::move(made));
    flow.place_ = std::prev(by_use_.end());
    flows_.emplace(client, &flow);
    count_.flows.fetch_add(1, std::memory_order_relaxed);
    return &flow;
  }

  void touch(udp_flow& flow) {
    flow.used_ = loop_.now();
    by_use_.splice(by_use_.end(), by_use_, flow.place_);
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

  udp_relay& owner_;
  event_loop& loop_;
  counters& count_;
  udp_limits limits_;
  base::unique_fd fd_;
  net::endpoint target_;
  flow_list by_use_;  // the one idle for longest first
  std::map<net::endpoint, udp_flow*> flows_;
  bool ticking_ = false;  // somebody calls expire() from time to time
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

void udp_flow::on_event(unsigned /*which*/, std::uint32_t /*events*/) {
  if (!over_) owner_.reply(*this);
}

udp_relay::udp_relay(event_loop& loop, counters& count, udp_limits limits)
    : loop_(loop), count_(count), limits_(limits) {}
udp_relay::~udp_relay() = default;

datagram_batch& udp_relay::batch() {
  if (!batch_) batch_ = std::make_unique<datagram_batch>();
  return *batch_;
}

base::result<std::unique_ptr<event_handler>> udp_relay::listen(base::unique_fd fd, const net::endpoint& target) {
  auto made = std::make_unique<udp_listener>(*this, std::move(fd), target);
  if (!made->watch()) return base::fail_errno("");
  return made;
}

}  // namespace relay
