#include "sinks/loopback/relay_ports.hpp"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/unique_fd.hpp"
#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

const auto near_address = *net::address::parse("127.0.0.2");
const auto far_address = *net::address::parse("127.0.0.3");
const auto elsewhere = *net::address::parse("192.0.2.1");  // configured nowhere

peer_interface on_lo(const net::address& at, const char* network = "127.0.0.0") {
  return {"lo", at, net::cidr(net::address::parse(network).value(), 8)};
}
const auto near = on_lo(near_address), far = on_lo(far_address);

// Whether a connection succeeds within 200 ms; dropped packets are never answered.
bool listens(const net::address& at, std::uint16_t port) {
  const base::unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  const auto to = net::to_sockaddr({at, port});
  static_cast<void>(::connect(fd.get(), to.get(), to.size));
  pollfd one{.fd = fd.get(), .events = POLLOUT, .revents = 0};
  ::poll(&one, 1, 200);
  net::socket_address peer;
  return ::getpeername(fd.get(), peer.get(), &peer.size) == 0;
}

// A port that was free on `at` a moment ago, and is held there by `holder`.
std::uint16_t hold_port(base::unique_fd& holder, const net::address& at, std::uint16_t port = 0) {
  holder.reset(::socket(AF_INET, SOCK_STREAM, 0));
  auto any = net::to_sockaddr({at, port});
  ::bind(holder.get(), any.get(), any.size);
  ::listen(holder.get(), 1);
  ::getsockname(holder.get(), any.get(), &any.size);
  return net::from_sockaddr(any)->port;
}

auto trouble(ports::outcome_kind kind, const char* reason) {
  return testing::AllOf(testing::Field(&ports::outcome::kind, kind),
                        testing::Field(&ports::outcome::reason, testing::HasSubstr(reason)));
}

class relay_ports_test : public testing::Test {
 protected:
  relayed_port to(const ports::port_key& k, bool in_place = false) {
    return {k, {net::address::loopback_v4(), port_}, in_place};
  }
  relay_ports relays_{relay::relay_options{}};
  base::unique_fd holder_;
  std::uint16_t port_ = hold_port(holder_, net::address::loopback_v4());
  ports::port_key key_ = key("127.0.0.1", port_);
};

TEST_F(relay_ports_test, listens_on_a_port_of_its_own_at_each_peers_address) {
  EXPECT_THAT(relays_.open({to(key_)}, {near, far}), IsEmpty());
  const auto number = relays_.numbers().at(key_);
  EXPECT_NE(number, port_);
  EXPECT_TRUE(listens(near_address, number) && listens(far_address, number));
  EXPECT_FALSE(listens(near_address, port_) || listens(far_address, port_));
  base::unique_fd servers;
  EXPECT_EQ(hold_port(servers, near_address, port_), port_) << "the port itself stays free for the VM's own servers";
}

TEST_F(relay_ports_test, a_relay_that_stays_keeps_its_port) {
  EXPECT_THAT(relays_.open({to(key_)}, {near}), IsEmpty());
  const auto number = relays_.numbers().at(key_);
  EXPECT_THAT(relays_.open({to(key_), to(key("::1", port_))}, {near, far}), IsEmpty());
  EXPECT_EQ(relays_.numbers().at(key_), number);
  EXPECT_TRUE(listens(far_address, number));
}

TEST_F(relay_ports_test, others_stay_until_they_are_closed) {
  EXPECT_THAT(relays_.open({to(key_)}, {near}), IsEmpty());
  const auto number = relays_.numbers().at(key_);
  EXPECT_THAT(relays_.open({}, {near}), IsEmpty());
  EXPECT_TRUE(listens(near_address, number)) << "a rule may still lead here";
  relays_.close_others();
  EXPECT_FALSE(listens(near_address, number));
  EXPECT_THAT(relays_.numbers(), IsEmpty());
}

// The rule that leads to the one goes, or comes, while both listen.
TEST_F(relay_ports_test, a_port_that_moves_into_its_place_or_out_of_it_listens_at_both_until_others_close) {
  EXPECT_THAT(relays_.open({to(key_)}, {near}), IsEmpty());
  const auto number = relays_.numbers().at(key_);
  EXPECT_THAT(relays_.open({to(key_, true)}, {near}), IsEmpty());
  EXPECT_TRUE(listens(near_address, number) && listens(near_address, port_));
  EXPECT_THAT(relays_.others(), ElementsAre(key_));
  relays_.close_others();
  EXPECT_FALSE(listens(near_address, number));
  EXPECT_TRUE(listens(near_address, port_));
  EXPECT_THAT(relays_.others(), IsEmpty());
  EXPECT_THAT(relays_.open({to(key_)}, {near}), IsEmpty());
  EXPECT_TRUE(listens(near_address, relays_.numbers().at(key_)) && listens(near_address, port_));
  relays_.close_others();
  EXPECT_FALSE(listens(near_address, port_));
}

TEST_F(relay_ports_test, only_the_peers_network_is_answered) {
  EXPECT_THAT(relays_.open({to(key_)}, {on_lo(near_address, "10.0.0.0")}), IsEmpty());
  EXPECT_FALSE(listens(near_address, relays_.numbers().at(key_)));
}

TEST_F(relay_ports_test, only_the_peers_device_is_listened_to) {
  auto peer = near;
  peer.device = "none0";
  EXPECT_THAT(relays_.open({to(key_)}, {peer}),
              ElementsAre(Pair(key_, trouble(ports::outcome_kind::refused, "no address"))));
  EXPECT_THAT(relays_.numbers(), IsEmpty());
}

TEST_F(relay_ports_test, skips_a_deleted_address) {
  EXPECT_THAT(relays_.open({to(key_)}, {far, on_lo(elsewhere)}), IsEmpty());
  EXPECT_TRUE(listens(far_address, relays_.numbers().at(key_)));
}

TEST_F(relay_ports_test, the_targets_own_address_needs_no_relay) {
  base::unique_fd server;
  hold_port(server, near_address, port_);
  const relayed_port to_near{key("127.0.0.2", port_), {near_address, port_}, false};
  EXPECT_THAT(relays_.open({to_near}, {near, far}), IsEmpty());
  const auto number = relays_.numbers().at(to_near.key);
  EXPECT_FALSE(listens(near_address, number));
  EXPECT_TRUE(listens(far_address, number));
}

TEST_F(relay_ports_test, without_peers_nothing_listens) {
  EXPECT_THAT(relays_.open({to(key_)}, {}), IsEmpty());
  EXPECT_THAT(relays_.numbers(), IsEmpty());
}

TEST_F(relay_ports_test, in_place_a_busy_port_is_reported) {
  base::unique_fd other;
  const auto busy = hold_port(other, far_address);
  const auto k = key("127.0.0.1", busy);
  EXPECT_THAT(relays_.open({to(k, true)}, {near, far}),
              ElementsAre(Pair(k, trouble(ports::outcome_kind::conflict, "in use"))));
  EXPECT_FALSE(listens(near_address, busy)) << "then at no address";
  other.reset();
  EXPECT_THAT(relays_.open({to(k, true)}, {near, far}), IsEmpty());
  EXPECT_TRUE(listens(near_address, busy) && listens(far_address, busy));
  EXPECT_THAT(relays_.numbers(), IsEmpty()) << "no rule leads there";
}

}  // namespace
}  // namespace loopback
