#include "sources/listeners/listener_tracker.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace listeners {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using testing::ElementsAre;
using testing::IsEmpty;

// "tcp 127.0.0.1:80"
netlink::diag_socket at(std::string_view text, std::uint32_t inode = 1) {
  return {
      .protocol = *net::parse_protocol(text.substr(0, 3)), .at = *net::parse_endpoint(text.substr(4)), .inode = inode};
}
netlink::diag_socket v6_only(std::string_view text) {
  auto s = at(text);
  s.ipv6_only = true;
  return s;
}

class ListenerTracker : public testing::Test {
 protected:
  void SetUp() override { see({}); }
  bool see(std::vector<netlink::diag_socket> sockets) { return tracker_.update(sockets, {32'768, 60'999}, now_); }
  // "tcp 127.0.0.1:80", with " nobody" or " v6" behind it.
  std::vector<std::string> published() const {
    std::vector<std::string> all;
    for (const auto& b : tracker_.snapshot().bindings)
      all.push_back(to_string(raw_key(b)) + (b.served == ports::reach::nobody      ? " nobody"
                                             : b.served == ports::reach::ipv6_only ? " v6"
                                                                                   : ""));
    return all;
  }
  std::vector<std::string> refused() const {
    std::vector<std::string> all;
    for (const auto& r : tracker_.snapshot().refusals) all.push_back(r.what + ": " + r.why);
    return all;
  }

  time_point now_{std::chrono::hours(1)};
  listener_tracker tracker_{{.ignored = ignore_list::parse("default").value()}};
};

TEST_F(ListenerTracker, PublishesAtOnceAndTakesBackAtOnce) {
  EXPECT_TRUE(see({at("tcp 0.0.0.0:80"), at("udp 127.0.0.1:500"), at("tcp [::]:81")}));
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80", "tcp [::]:81", "udp 127.0.0.1:500"));
  EXPECT_EQ(tracker_.next_change(), time_point::max());
  now_ += 1s;
  EXPECT_TRUE(see({at("tcp [::]:81")}));
  EXPECT_THAT(published(), ElementsAre("tcp [::]:81"));
  EXPECT_FALSE(see({at("tcp [::]:81")}));
}

TEST_F(ListenerTracker, AReservationDoesNotFlap) {
  for (const auto life : {50ms, 999ms}) {
    see({at("tcp 0.0.0.0:80")});
    now_ += life;
    EXPECT_TRUE(see({}));
    EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80 nobody")) << life.count();
    EXPECT_EQ(tracker_.next_change(), now_ + 1s);
    now_ += 999ms;
    EXPECT_FALSE(see({}));
    now_ += 1ms;
    EXPECT_TRUE(see({}));
    EXPECT_THAT(published(), IsEmpty()) << life.count();
  }
}

TEST_F(ListenerTracker, AServerThatDiesYoungAgainAndAgainKeepsItsPort) {
  for (int i = 0; i < 5; ++i) {
    see({at("tcp 0.0.0.0:80")});
    now_ += 600ms;
    see({});
    EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80 nobody")) << i;
    now_ += 600ms;
  }
  see({at("tcp 0.0.0.0:80")});
  now_ += 1s;
  see({});
  EXPECT_THAT(published(), IsEmpty()) << "lived long enough";
}

TEST_F(ListenerTracker, WhatWasThereFromTheStartIsNoReservation) {
  tracker_ = listener_tracker({});
  see({at("tcp 0.0.0.0:80"), v6_only("tcp [::]:81")});
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80", "tcp [::]:81 v6"));
  EXPECT_TRUE(see({}));
  EXPECT_THAT(published(), IsEmpty());
}

TEST_F(ListenerTracker, AReservationThatBecomesAServer) {
  see({at("tcp 0.0.0.0:80", 1)});
  now_ += 50ms;
  see({});
  now_ += 50ms;
  EXPECT_TRUE(see({at("tcp 0.0.0.0:80", 2)}));
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80"));
  EXPECT_EQ(tracker_.next_change(), time_point::max());
}

TEST_F(ListenerTracker, ReusePortGroupsAndRestartsAreOneBinding) {
  see({at("tcp 0.0.0.0:80", 1), at("tcp 0.0.0.0:80", 2), at("tcp 0.0.0.0:80", 3)});
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80"));
  now_ += 5s;
  EXPECT_FALSE(see({at("tcp 0.0.0.0:80", 3)}));
  EXPECT_FALSE(see({at("tcp 0.0.0.0:80", 4)})) << "another socket, the same port";
}

TEST_F(ListenerTracker, AServerThatMovesFromLoopbackToEveryAddress) {
  see({at("tcp 127.0.0.1:80")});
  now_ += 5s;
  EXPECT_TRUE(see({at("tcp 0.0.0.0:80")}));
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80"));
}

TEST_F(ListenerTracker, IgnoresWhatIsTheNodesOwn) {
  EXPECT_FALSE(see({at("tcp 127.0.0.1:10248"), at("tcp [::]:10250"), at("tcp [::]:6443"), at("udp 127.0.0.53:53"),
                    at("udp 0.0.0.0:68"), at("udp 0.0.0.0:5353"), at("udp 127.0.0.1:323")}));
  EXPECT_THAT(published(), IsEmpty());
  EXPECT_THAT(refused(), IsEmpty());
}

TEST_F(ListenerTracker, UdpOnEphemeralPortsIsClients) {
  see({at("udp 0.0.0.0:32768"), at("udp [::]:60999"), at("udp 0.0.0.0:61000"), at("tcp 0.0.0.0:40000")});
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:40000", "udp 0.0.0.0:61000"));
}

TEST_F(ListenerTracker, MulticastIsNotPublished) {
  see({at("udp 224.0.0.251:5000"), at("udp [ff02::fb]:5000"), at("udp 255.255.255.255:5000")});
  EXPECT_THAT(published(), IsEmpty());
}

TEST_F(ListenerTracker, BoundToOneInterfaceIsRefusedAndSaysSo) {
  auto bound = at("tcp 0.0.0.0:80");
  bound.device = 2;
  EXPECT_TRUE(see({bound, at("tcp [fe80::1]:81")}));
  EXPECT_THAT(published(), IsEmpty());
  EXPECT_THAT(refused(), ElementsAre("0.0.0.0:80/tcp: bound to one network interface",
                                     "[fe80::1]:81/tcp: bound to one network interface"));
}

TEST_F(ListenerTracker, WildcardsOfIpv6AloneAreRelayedAfterAWhile) {
  see({v6_only("tcp [::]:80"), v6_only("tcp [::1]:81")});
  EXPECT_THAT(published(), ElementsAre("tcp [::]:80 nobody", "tcp [::1]:81")) << "exposed at once, not relayed yet";
  EXPECT_EQ(tracker_.next_change(), now_ + 1s);
  now_ += 1s;
  EXPECT_TRUE(see({v6_only("tcp [::]:80"), v6_only("tcp [::1]:81")}));
  EXPECT_THAT(published(), ElementsAre("tcp [::]:80 v6", "tcp [::1]:81"));
  EXPECT_EQ(tracker_.next_change(), time_point::max());
}

TEST_F(ListenerTracker, HasABoundThatSaysSo) {
  tracker_ = listener_tracker({.most = 3});
  see({at("tcp 0.0.0.0:4"), at("tcp 0.0.0.0:5"), at("tcp 0.0.0.0:6")});
  now_ += 2s;
  see({at("tcp 0.0.0.0:1"), at("tcp 0.0.0.0:2"), at("tcp 0.0.0.0:5"), at("tcp 0.0.0.0:6")});
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:1", "tcp 0.0.0.0:5", "tcp 0.0.0.0:6"))
      << "those that were first stay";
  EXPECT_THAT(refused(), ElementsAre("1 sockets: more than 3 listeners"));
}

}  // namespace
}  // namespace listeners
