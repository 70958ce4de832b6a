#include "sinks/loopback/relay_ports.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include "base/unique_fd.hpp"
#include "tests/unit/sinks/loopback/nat_text.hpp"

namespace loopback {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

const auto near = *net::address::parse("127.0.0.2");
const auto far = *net::address::parse("127.0.0.3");
const auto elsewhere = *net::address::parse("192.0.2.1");  // configured nowhere

bool listens(const net::address& at, std::uint16_t port) {
  const base::unique_fd fd(::socket(AF_INET, SOCK_STREAM, 0));
  const auto to = net::to_sockaddr({at, port});
  return ::connect(fd.get(), to.get(), to.size) == 0;
}

// A port that was free on `at` a moment ago, and perhaps held there.
std::uint16_t free_port(base::unique_fd& holder, const net::address& at) {
  holder.reset(::socket(AF_INET, SOCK_STREAM, 0));
  auto any = net::to_sockaddr({at, 0});
  ::bind(holder.get(), any.get(), any.size);
  ::listen(holder.get(), 1);
  ::getsockname(holder.get(), any.get(), &any.size);
  return net::from_sockaddr(any)->port;
}

class RelayPorts : public testing::Test {
 protected:
  relay_ports relays_{relay::relay_options{}};
  base::unique_fd holder_;
  std::uint16_t port_ = free_port(holder_, net::address::loopback_v4());
  ports::port_key key_ = key("127.0.0.1", port_);
};

TEST_F(RelayPorts, ListensForExactlyWhatIsWanted) {
  EXPECT_THAT(relays_.set({{key_, {near, far}}}), IsEmpty());
  EXPECT_TRUE(listens(near, port_) && listens(far, port_));
  EXPECT_THAT(relays_.set({{key_, {far}}}), IsEmpty());
  EXPECT_FALSE(listens(near, port_));
  EXPECT_TRUE(listens(far, port_));
  EXPECT_THAT(relays_.set({}), IsEmpty());
  EXPECT_FALSE(listens(far, port_));
}

TEST_F(RelayPorts, OnePortIsClosedAtOnce) {
  EXPECT_THAT(relays_.set({{key_, {near, far}}}), IsEmpty());
  relays_.close(key("::1", port_));
  EXPECT_TRUE(listens(near, port_));
  relays_.close(key_);
  EXPECT_FALSE(listens(near, port_) || listens(far, port_));
}

TEST_F(RelayPorts, AnAddressThatIsNotThereIsPassedOver) {
  EXPECT_THAT(relays_.set({{key_, {elsewhere, far}}}), IsEmpty());
  EXPECT_TRUE(listens(far, port_));
  EXPECT_THAT(relays_.set({{key_, {elsewhere}}}), ElementsAre(Pair(key_, testing::HasSubstr("no address"))));
}

TEST_F(RelayPorts, NothingToListenOnIsNoTrouble) {
  EXPECT_THAT(relays_.set({{key_, {}}}), IsEmpty());
  EXPECT_EQ(relays_.size(), 0U);
}

TEST_F(RelayPorts, ABusyAddressIsTold) {
  base::unique_fd other;
  const auto busy = free_port(other, far);
  const auto k = key("127.0.0.1", busy);
  EXPECT_THAT(relays_.set({{k, {near, far}}}), ElementsAre(Pair(k, testing::HasSubstr("in use"))));
  EXPECT_FALSE(listens(near, busy));  // nowhere then
  other.reset();
  EXPECT_THAT(relays_.set({{k, {near, far}}}), IsEmpty());
}

TEST_F(RelayPorts, OnePortGoesToOneAddress) {
  const auto second = key("127.0.0.9", port_);
  EXPECT_THAT(relays_.set({{key_, {near}}, {second, {near}}}), ElementsAre(Pair(second, testing::HasSubstr("in use"))));
  EXPECT_EQ(relays_.size(), 1U);
  EXPECT_THAT(relays_.set({{second, {near}}}), IsEmpty());
}

}  // namespace
}  // namespace loopback
