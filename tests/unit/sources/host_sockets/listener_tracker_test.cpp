#include "sources/host_sockets/listener_tracker.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace host_sockets {
namespace {

using namespace std::chrono_literals;
using net::protocol;
using testing::ElementsAre;
using testing::IsEmpty;

// "tcp 127.0.0.1:80"; without an inode always the same socket.
netlink::diag_socket at(std::string_view text, std::uint32_t inode = 0) {
  return {.protocol = *net::parse_protocol(text.substr(0, 3)),
          .at = *net::parse_endpoint(text.substr(4)),
          .inode = inode != 0 ? inode : static_cast<std::uint32_t>(std::hash<std::string_view>{}(text))};
}
netlink::diag_socket v6_only(std::string_view text) {
  auto s = at(text);
  s.ipv6_only = true;
  return s;
}

class listener_tracker_test : public testing::Test {
 protected:
  void SetUp() override { see({}); }
  bool see(std::vector<netlink::diag_socket> sockets) {
    const auto asked = tracker_.note(std::move(sockets), {32'768, 60'999}, now_);
    owner_map owners;
    for (const auto& s : asked) owners[s.inode] = owners_.contains(s.inode) ? owners_.at(s.inode) : owner::other;
    asked_ = asked.size();
    return tracker_.update(owners);
  }
  // "tcp 127.0.0.1:80", with " reserved" or " v6" behind it.
  std::vector<std::string> published() const {
    std::vector<std::string> all;
    for (const auto& b : tracker_.snapshot().bindings)
      all.push_back(to_string(raw_key(b)) + (b.served == ports::serving::reserved        ? " reserved"
                                             : b.served == ports::serving::ipv6_listener ? " v6"
                                                                                         : ""));
    return all;
  }
  std::vector<std::string> refused() const {
    std::vector<std::string> all;
    for (const auto& r : tracker_.snapshot().refusals) all.push_back(r.what + ": " + r.why);
    return all;
  }

  time_point now_{std::chrono::hours(1)};
  owner_map owners_;  // of sockets that are not a server's
  std::size_t asked_ = 0;
  listener_tracker tracker_{{.ignored = ignore_list::parse("default").value()}};
};

TEST_F(listener_tracker_test, publishes_at_once_and_takes_back_at_once) {
  EXPECT_TRUE(see({at("tcp 0.0.0.0:80"), at("tcp [::]:81")}));
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80", "tcp [::]:81"));
  EXPECT_EQ(tracker_.next_change(), time_point::max());
  now_ += 1s;
  EXPECT_TRUE(see({at("tcp [::]:81")}));
  EXPECT_THAT(published(), ElementsAre("tcp [::]:81"));
  EXPECT_FALSE(see({at("tcp [::]:81")}));
}

TEST_F(listener_tracker_test, tells_changes_of_ports_from_those_of_reasons) {
  see({at("tcp 0.0.0.0:80")});
  EXPECT_TRUE(tracker_.bindings_changed());
  owners_[7] = owner::engine;
  now_ += 2s;
  EXPECT_TRUE(see({at("tcp 0.0.0.0:80"), at("tcp 0.0.0.0:81", 7)}));
  EXPECT_FALSE(tracker_.bindings_changed());
  see({at("tcp 0.0.0.0:81", 7)});
  EXPECT_TRUE(tracker_.bindings_changed());
}

TEST_F(listener_tracker_test, a_reservation_does_not_flap) {
  for (const auto life : {50ms, 999ms}) {
    see({at("tcp 0.0.0.0:80")});
    now_ += life;
    EXPECT_TRUE(see({}));
    EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80 reserved")) << life.count();
    EXPECT_EQ(tracker_.next_change(), now_ + 1s);
    now_ += 999ms;
    EXPECT_FALSE(see({}));
    now_ += 1ms;
    EXPECT_TRUE(see({}));
    EXPECT_THAT(published(), IsEmpty()) << life.count();
  }
}

TEST_F(listener_tracker_test, a_server_that_dies_young_again_and_again_keeps_its_port) {
  for (int i = 0; i < 5; ++i) {
    see({at("tcp 0.0.0.0:80")});
    now_ += 600ms;
    see({});
    EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80 reserved")) << i;
    now_ += 600ms;
  }
  see({at("tcp 0.0.0.0:80")});
  now_ += 1s;
  see({});
  EXPECT_THAT(published(), IsEmpty()) << "lived long enough";
}

TEST_F(listener_tracker_test, what_was_there_from_the_start_is_no_reservation) {
  tracker_ = listener_tracker({});
  see({at("tcp 0.0.0.0:80"), v6_only("tcp [::]:81")});
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80", "tcp [::]:81 v6"));
  EXPECT_TRUE(see({}));
  EXPECT_THAT(published(), IsEmpty());
}

TEST_F(listener_tracker_test, a_reservation_that_becomes_a_server) {
  see({at("tcp 0.0.0.0:80", 1)});
  now_ += 50ms;
  see({});
  now_ += 50ms;
  EXPECT_TRUE(see({at("tcp 0.0.0.0:80", 2)}));
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80"));
  EXPECT_EQ(tracker_.next_change(), time_point::max());
}

TEST_F(listener_tracker_test, reuse_port_groups_and_restarts_are_one_binding) {
  see({at("tcp 0.0.0.0:80", 1), at("tcp 0.0.0.0:80", 2), at("tcp 0.0.0.0:80", 3)});
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80"));
  now_ += 5s;
  EXPECT_FALSE(see({at("tcp 0.0.0.0:80", 3)}));
  EXPECT_FALSE(see({at("tcp 0.0.0.0:80", 4)})) << "another socket, the same port";
}

TEST_F(listener_tracker_test, a_server_that_moves_from_loopback_to_every_address) {
  see({at("tcp 127.0.0.1:80")});
  now_ += 5s;
  EXPECT_TRUE(see({at("tcp 0.0.0.0:80")}));
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80"));
}

TEST_F(listener_tracker_test, ignores_what_is_the_nodes_own_and_names_it) {
  EXPECT_TRUE(see({at("tcp 127.0.0.1:10248"), at("udp 127.0.0.53:53"), at("udp 0.0.0.0:8472"), at("udp 0.0.0.0:4789"),
                   at("udp [::]:6081")}));
  EXPECT_THAT(published(), IsEmpty());
  EXPECT_EQ(asked_, 0U) << "the port decides: nothing has to be looked up";
  const std::string why = ": -ignore-listeners leaves this port out";
  EXPECT_THAT(refused(), ElementsAre("0.0.0.0:4789/udp" + why, "0.0.0.0:8472/udp" + why, "127.0.0.1:10248/tcp" + why,
                                     "127.0.0.53:53/udp" + why, "[::]:6081/udp" + why));
}

TEST_F(listener_tracker_test, udp_on_ephemeral_ports_is_clients) {
  const std::vector sockets{at("udp 0.0.0.0:32768"), at("udp [::]:60999"), at("udp 0.0.0.0:61000"),
                            at("tcp 0.0.0.0:40000")};
  see(sockets);
  EXPECT_THAT(refused(), IsEmpty());
  now_ += 1s;
  see(sockets);
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:40000", "udp 0.0.0.0:61000"));
  const std::string why = ": UDP on a port of net.ipv4.ip_local_port_range, which clients get";
  EXPECT_THAT(refused(), ElementsAre("0.0.0.0:32768/udp" + why, "[::]:60999/udp" + why));
}

TEST_F(listener_tracker_test, udp_is_published_after_a_second_and_not_before) {
  const auto opened = now_;
  EXPECT_FALSE(see({at("udp 0.0.0.0:500")}));
  EXPECT_EQ(tracker_.next_change(), opened + 1s);
  EXPECT_EQ(asked_, 0U) << "whose a momentary socket is does not matter";
  for (const auto age : {1ms, 500ms, 999ms}) {
    now_ = opened + age;
    EXPECT_FALSE(see({at("udp 0.0.0.0:500")})) << age.count();
    EXPECT_THAT(published(), IsEmpty()) << age.count();
    EXPECT_EQ(tracker_.next_change(), opened + 1s) << age.count();
  }
  now_ = opened + 1s;
  EXPECT_TRUE(see({at("udp 0.0.0.0:500")}));
  EXPECT_THAT(published(), ElementsAre("udp 0.0.0.0:500"));
  EXPECT_EQ(tracker_.next_change(), time_point::max());
  now_ += 1ms;
  EXPECT_TRUE(see({}));
  EXPECT_THAT(published(), IsEmpty()) << "at once, and not held like a reservation";
}

// A resolver takes another port for each question, and a client its own port with another socket each time.
TEST_F(listener_tracker_test, momentary_udp_sockets_are_never_published) {
  for (std::uint32_t i = 1; i <= 500; ++i) {
    std::vector<netlink::diag_socket> open{at("udp 0.0.0.0:500", 1'000'000 + i)};
    for (std::uint32_t j = i > 66 ? i - 66 : 1; j <= i; ++j)
      open.push_back(at(fmt::format("udp 0.0.0.0:{}", 1'024 + j * 7), j));
    EXPECT_FALSE(see(open)) << i;
    EXPECT_EQ(asked_, 0U) << i;
    EXPECT_LE(tracker_.next_change(), now_ + 1s);
    now_ += 15ms;  // each is open for 66 of them: 990 ms
  }
  EXPECT_THAT(published(), IsEmpty());
}

TEST_F(listener_tracker_test, a_young_udp_socket_keeps_a_claim_that_stands) {
  see({at("udp 0.0.0.0:500", 1)});
  now_ += 1s;
  see({at("udp 0.0.0.0:500", 1)});
  now_ += 5s;
  EXPECT_FALSE(see({at("udp 0.0.0.0:500", 2)})) << "the server was restarted";
  EXPECT_THAT(published(), ElementsAre("udp 0.0.0.0:500"));
}

// How long a socket has been open before the first scan is not known: what was published before must not be withdrawn
// for that, and what closes within the second must not be published.
TEST_F(listener_tracker_test, at_the_start_the_snapshot_waits_for_udp) {
  tracker_ = listener_tracker({});
  const auto start = now_;
  see({at("tcp 0.0.0.0:80"), at("udp 0.0.0.0:500"), at("udp 0.0.0.0:501")});
  EXPECT_FALSE(tracker_.is_settled());
  EXPECT_EQ(tracker_.next_change(), start + 1s);
  now_ += 1s;
  see({at("tcp 0.0.0.0:80"), at("udp 0.0.0.0:500"), at("udp 0.0.0.0:502")});
  EXPECT_TRUE(tracker_.is_settled()) << "others may come at any time";
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80", "udp 0.0.0.0:500"));

  tracker_ = listener_tracker({});
  see({at("tcp 0.0.0.0:80"), at("udp 0.0.0.0:40000"), at("udp 0.0.0.0:5353")});
  EXPECT_FALSE(tracker_.is_settled()) << "5353 is ignored by the default list alone";
  tracker_ = listener_tracker({.ignored = ignore_list::parse("default").value()});
  see({at("tcp 0.0.0.0:80"), at("udp 0.0.0.0:40000"), at("udp 0.0.0.0:5353")});
  EXPECT_TRUE(tracker_.is_settled()) << "none of them may become a port";
}

TEST_F(listener_tracker_test, only_what_another_process_holds_is_published) {
  owners_ = {{1, owner::agent},  {2, owner::engine},  {3, owner::starting},  {4, owner::reserver},
             {5, owner::kernel}, {6, owner::unknown}, {7, owner::unresolved}};
  std::vector<netlink::diag_socket> all;
  for (std::uint32_t i = 1; i <= 8; ++i) all.push_back(at(fmt::format("tcp 0.0.0.0:{}", 80 + i), i));
  EXPECT_TRUE(see(all));
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:88"));
  EXPECT_THAT(refused(), ElementsAre("1 socket: opened by this agent",
                                     "1 socket: opened by a watched engine, whose own source publishes its ports",
                                     "0.0.0.0:83/tcp: opened just now by a process that may be an engine's",
                                     "1 socket: held by nerdctl for a container, whose own source publishes its ports",
                                     "0.0.0.0:85/tcp: held by no process in sight: the kernel's own",
                                     "0.0.0.0:86/tcp: its process cannot be determined"));
}

TEST_F(listener_tracker_test, an_unknown_owner_keeps_a_claim_that_stands) {
  see({at("tcp 0.0.0.0:80", 1)});
  now_ += 5s;
  owners_[2] = owner::unknown;
  see({at("tcp 0.0.0.0:80", 2)});
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:80"));
}

TEST_F(listener_tracker_test, reasons_are_bounded_and_do_not_make_a_snapshot_each) {
  std::vector<netlink::diag_socket> many;
  for (int i = 0; i < 100; ++i) many.push_back(at(fmt::format("tcp [fe80::{:x}]:80", i + 1)));
  EXPECT_TRUE(see(many));
  ASSERT_EQ(refused().size(), 33U);
  EXPECT_EQ(refused().back(), "68 more sockets: bound to one network interface");
  now_ += 999ms;
  many.pop_back();
  EXPECT_FALSE(see(many));
  EXPECT_EQ(tracker_.next_change(), now_ + 1ms);
  now_ += 1ms;
  EXPECT_TRUE(see(many));
  EXPECT_EQ(refused().back(), "67 more sockets: bound to one network interface");
}

TEST_F(listener_tracker_test, multicast_is_not_published) {
  const std::vector sockets{at("udp 224.0.0.251:5000"), at("udp [ff02::fb]:5000"), at("udp 255.255.255.255:5000")};
  see(sockets);
  now_ += 2s;
  see(sockets);
  EXPECT_THAT(published(), IsEmpty());
}

TEST_F(listener_tracker_test, bound_to_one_interface_is_refused_and_says_so) {
  auto bound = at("tcp 0.0.0.0:80");
  bound.device = 2;
  EXPECT_TRUE(see({bound, at("tcp [fe80::1]:81")}));
  EXPECT_THAT(published(), IsEmpty());
  EXPECT_THAT(refused(), ElementsAre("0.0.0.0:80/tcp: bound to one network interface",
                                     "[fe80::1]:81/tcp: bound to one network interface"));
}

TEST_F(listener_tracker_test, relays_of_this_program_are_counted_and_not_named) {
  std::vector relays{at("tcp 192.168.127.2:80"), at("udp 192.168.127.2:40000")};
  for (auto& relay : relays) {
    relay.device = 2;
    owners_[relay.inode] = owner::agent;
  }
  EXPECT_TRUE(see(relays));
  EXPECT_THAT(published(), IsEmpty());
  EXPECT_THAT(refused(), ElementsAre("2 sockets: opened by this agent"));
}

TEST_F(listener_tracker_test, wildcards_of_ipv6_alone_are_relayed_after_a_while) {
  see({v6_only("tcp [::]:80"), v6_only("tcp [::1]:81")});
  EXPECT_THAT(published(), ElementsAre("tcp [::]:80 reserved", "tcp [::1]:81")) << "exposed at once, not relayed yet";
  EXPECT_EQ(tracker_.next_change(), now_ + 1s);
  now_ += 1s;
  EXPECT_TRUE(see({v6_only("tcp [::]:80"), v6_only("tcp [::1]:81")}));
  EXPECT_THAT(published(), ElementsAre("tcp [::]:80 v6", "tcp [::1]:81"));
  EXPECT_EQ(tracker_.next_change(), time_point::max());
}

TEST_F(listener_tracker_test, has_a_bound_that_says_so) {
  tracker_ = listener_tracker({.most = 3});
  see({at("tcp 0.0.0.0:4"), at("tcp 0.0.0.0:5"), at("tcp 0.0.0.0:6")});
  now_ += 2s;
  see({at("tcp 0.0.0.0:1"), at("tcp 0.0.0.0:2"), at("tcp 0.0.0.0:5"), at("tcp 0.0.0.0:6")});
  EXPECT_THAT(published(), ElementsAre("tcp 0.0.0.0:1", "tcp 0.0.0.0:5", "tcp 0.0.0.0:6"))
      << "those that were first stay";
  EXPECT_THAT(refused(), ElementsAre("1 socket: more than 3 listeners"));
}

}  // namespace
}  // namespace host_sockets
