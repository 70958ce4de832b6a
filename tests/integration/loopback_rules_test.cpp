// The loopback sink with the real iptables, of both variants, and real packets.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <thread>

#include "tests/integration/loopback_fixture.hpp"
#include "tests/support/eventually.hpp"

namespace {

using namespace support;
using namespace std::chrono_literals;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class loopback_rules : public loopback_fixture {};

TEST_P(loopback_rules, a_port_on_loopback_answers_at_the_tap_and_the_veth) {
  lab_->serve(lab_->one, "web", {"tcp:80", "udp:53"});
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:53", "udp");
  EXPECT_EQ(from_host(8080), std::nullopt);
  EXPECT_THAT(list(), IsEmpty());
  add(key("127.0.0.1", 8080));
  EXPECT_EQ(from_host(8080), "web\n");
  EXPECT_EQ(from_wsl(8080), "web\n");
  EXPECT_EQ(from_host(8080, protocol::udp), std::nullopt);
  add(key("127.0.0.1", 8080, protocol::udp), 53);
  EXPECT_EQ(from_host(8080, protocol::udp), "web x");
  EXPECT_EQ(from_wsl(8080, protocol::udp), "web x");
  EXPECT_THAT(ours(chain), SizeIs(2));
  add(key("127.0.0.1", 8080));
  EXPECT_THAT(ours(chain), SizeIs(2));
  remove(key("127.0.0.1", 8080));
  EXPECT_EQ(from_host(8080), std::nullopt);
  EXPECT_EQ(from_wsl(8080), std::nullopt);
  EXPECT_EQ(from_host(8080, protocol::udp), "web x");
}

TEST_P(loopback_rules, a_client_of_udp_that_was_too_early_is_answered_later) {
  lab_->serve(lab_->one, "dns", {"udp:53"});
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 5300, "172.17.0.2:53", "udp");
  list();
  const auto client = open_socket(lab_->wsl, protocol::udp, {veth, 5300}, false);
  const auto ask_again = [&] {
    std::array<char, 64> answer{};
    ::send(client.get(), "x", 1, 0);
    pollfd one{.fd = client.get(), .events = POLLIN, .revents = 0};
    ::poll(&one, 1, 100);
    const auto got = ::recv(client.get(), answer.data(), answer.size(), MSG_DONTWAIT);
    return std::string(answer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  };
  EXPECT_EQ(ask_again(), "");
  add(key("127.0.0.1", 5300, protocol::udp), 53);
  EXPECT_TRUE(eventually(10s, [&] { return ask_again() == "dns x"; }));
}

TEST_P(loopback_rules, close_leaves_nothing) {
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  const auto before = lab_->engine.rules();
  list();
  add(key("127.0.0.1", 8080));
  add(key("::1", 8081));
  EXPECT_EQ(route_localnet(), "0") << "nothing leads to 127.0.0.1";
  add_listener(key("127.0.0.1", 9000));
  EXPECT_EQ(route_localnet(), "1");
  EXPECT_EQ(route_localnet("veth0"), "1");
  EXPECT_EQ(route_localnet("all"), "0");
  remove(key("127.0.0.1", 9000));
  EXPECT_EQ(route_localnet(), "0");
  EXPECT_EQ(route_localnet("veth0"), "0");
  add_listener(key("127.0.0.1", 9000));
  close();
  EXPECT_EQ(lab_->engine.rules(), before);
  EXPECT_EQ(route_localnet(), "0");
  EXPECT_THAT(listening_sockets(lab_->rd), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(state_.path()));
  EXPECT_THAT(list(), IsEmpty());
  EXPECT_EQ(lab_->engine.rules(), before);
}

TEST_P(loopback_rules, a_listener_on_loopback_is_reached_when_it_is_wanted_and_no_other_is) {
  lab_->engine.start();
  list();
  const auto wanted = open_socket(lab_->rd, protocol::tcp, {net::address::loopback_v4(), 9000}, true);
  const auto other = open_socket(lab_->rd, protocol::tcp, {net::address::loopback_v4(), 9001}, true);
  EXPECT_TRUE(refused(lab_->host, {tap, 9000}));
  add_listener(key("127.0.0.1", 9000));
  EXPECT_THAT(ours(chain), ElementsAre(HasSubstr("--dport 9000")));
  EXPECT_FALSE(refused(lab_->host, {tap, 9000}));
  EXPECT_FALSE(refused(lab_->wsl, {veth, 9000}));
  EXPECT_TRUE(refused(lab_->host, {tap, 9001}));
  EXPECT_TRUE(refused(lab_->wsl, {veth, 9001}));
  EXPECT_THAT(listening_sockets(lab_->rd), SizeIs(2)) << "no relay";
}

TEST_P(loopback_rules, a_listener_on_v6_loopback_is_relayed_from_a_port_of_the_relays_own) {
  lab_->engine.start();
  list();
  const auto listener = open_socket(lab_->rd, protocol::tcp, {net::address::loopback_v6(), 9000}, true);
  add(key("::1", 9000));
  EXPECT_FALSE(refused(lab_->host, {tap, 9000}));
  EXPECT_FALSE(refused(lab_->wsl, {veth, 9000}));
  const auto same_port = open_socket(lab_->rd, protocol::tcp, {tap, 9000}, true);
  EXPECT_TRUE(same_port);
  remove(key("::1", 9000));
  EXPECT_THAT(ours(), IsEmpty());
  EXPECT_THAT(listening_sockets(lab_->rd), SizeIs(2)) << "the tests' own";
}

TEST_P(loopback_rules, a_udp_server_on_loopback_is_relayed) {
  lab_->serve(lab_->rd, "dns", {"udp:127.0.0.1/53"});
  lab_->engine.start();
  list();
  add(key("127.0.0.1", 53, protocol::udp), 53);
  EXPECT_EQ(from_host(53, protocol::udp), "dns x");
  EXPECT_EQ(from_wsl(53, protocol::udp), "dns x");
}

TEST_P(loopback_rules, without_an_engine_ports_are_served_as_well) {
  list();
  EXPECT_THAT(lab_->engine.rules(), IsEmpty()) << "nothing is wanted";
  const auto listener = open_socket(lab_->rd, protocol::tcp, {net::address::loopback_v4(), 9000}, true);
  add(key("127.0.0.1", 9000));
  EXPECT_FALSE(refused(lab_->host, {tap, 9000}));
  EXPECT_FALSE(refused(lab_->wsl, {veth, 9000}));
  EXPECT_EQ(route_localnet(), "0");
  close();
  EXPECT_THAT(ours(), IsEmpty());
}

TEST_P(loopback_rules, without_iptables_relays_listen_in_place_and_give_the_reason_where_they_cannot) {
  auto none = options();
  none.rules.programs.clear();
  start_sink(std::move(none));
  list();
  const auto listener = open_socket(lab_->rd, protocol::tcp, {net::address::loopback_v4(), 9000}, true);
  add(key("127.0.0.1", 9000));
  EXPECT_FALSE(refused(lab_->host, {tap, 9000}));
  EXPECT_FALSE(refused(lab_->wsl, {veth, 9000}));
  const auto busy = open_socket(lab_->rd, protocol::tcp, {tap, 9001}, true);
  EXPECT_EQ(apply({op(verb::add, key("127.0.0.1", 9001))}).at(0).kind, outcome_kind::conflict);
}

TEST_P(loopback_rules, an_engine_that_comes_later_takes_over_from_the_relay) {
  lab_->serve(lab_->one, "web", {"tcp:80"});
  list();
  add(key("127.0.0.1", 8080));
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  EXPECT_TRUE(notified() || GetParam() == nat_variant::legacy);
  EXPECT_THAT(list(), SizeIs(1));
  EXPECT_THAT(listening_sockets(lab_->rd), IsEmpty());
  EXPECT_EQ(from_host(8080), "web\n");
  EXPECT_THAT(lab_->engine.rules("PREROUTING"), ElementsAre(HasSubstr("-j DOCKER"), HasSubstr(tag), HasSubstr(tag)));
}

TEST_P(loopback_rules, a_jump_that_is_appended_later_comes_before_ours) {
  lab_->engine.start();
  list();
  add_listener(key("127.0.0.1", 9000));
  lab_->engine.iptables({"-D", "PREROUTING", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "DOCKER"});
  lab_->engine.iptables({"-A", "PREROUTING", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "DOCKER"});
  EXPECT_TRUE(notified());
  list();
  EXPECT_THAT(lab_->engine.rules("PREROUTING"), ElementsAre(HasSubstr("-j DOCKER"), HasSubstr(tag), HasSubstr(tag)));
  if (GetParam() == nat_variant::legacy) {  // the change has no author: one more reading
    EXPECT_TRUE(notified());
    list();
  }
  EXPECT_FALSE(notified());  // our own change does not count
}

TEST_P(loopback_rules, a_leftover_rule_makes_no_port_dead) {
  lab_->serve(lab_->two, "new", {"tcp:80"});
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  list();
  add(key("127.0.0.1", 8080));
  start_sink();  // the first one was killed; meanwhile another container replaced the first
  lab_->engine.unpublish("127.0.0.1", 8080, "172.17.0.2:80");
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.3:80");
  EXPECT_THAT(list(), IsEmpty());
  EXPECT_THAT(ours(chain), IsEmpty());
  add(key("127.0.0.1", 8080), 80, "def");
  EXPECT_EQ(from_host(8080), "new\n");
}

TEST_P(loopback_rules, a_container_that_came_back_with_another_address_is_found) {
  lab_->serve(lab_->two, "again", {"tcp:80"});
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  list();
  add(key("127.0.0.1", 8080));
  lab_->engine.unpublish("127.0.0.1", 8080, "172.17.0.2:80");
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.3:80");
  EXPECT_TRUE(notified());
  EXPECT_THAT(list(), SizeIs(1));
  EXPECT_EQ(from_host(8080), "again\n");
  EXPECT_THAT(ours(chain), SizeIs(1));
}

TEST_P(loopback_rules, killed_and_started_again_without_a_gap) {
  lab_->serve(lab_->one, "web", {"tcp:80"});
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  const auto clean = lab_->engine.rules();
  list();
  add(key("127.0.0.1", 8080));
  const auto before = lab_->engine.rules();
  sink_.reset();
  EXPECT_EQ(from_host(8080), "web\n");
  start_sink();
  const auto held = list();
  ASSERT_THAT(held, SizeIs(1));
  EXPECT_EQ(held[0].key, key("127.0.0.1", 8080));
  EXPECT_TRUE(held[0].exact);
  EXPECT_EQ(held[0].container_port, 80);
  EXPECT_EQ(held[0].owner, "abc");
  EXPECT_EQ(lab_->engine.rules(), before);
  close();
  EXPECT_EQ(lab_->engine.rules(), clean);
  EXPECT_EQ(route_localnet(), "0");
}

TEST_P(loopback_rules, a_flushed_chain_is_healed) {
  lab_->serve(lab_->one, "web", {"tcp:80"});
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  list();
  add(key("127.0.0.1", 8080));
  lab_->engine.iptables({"-F", "DOCKER"});
  EXPECT_TRUE(notified());
  EXPECT_THAT(list(), SizeIs(1));  // relayed to the listener, if there is one
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  EXPECT_TRUE(notified());
  EXPECT_THAT(list(), SizeIs(1));
  EXPECT_EQ(from_host(8080), "web\n");
}

TEST_P(loopback_rules, an_engines_rule_for_the_tap_address_wins) {
  lab_->serve(lab_->one, "one", {"tcp:80"});
  lab_->serve(lab_->two, "two", {"tcp:80"});
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  list();
  add(key("127.0.0.1", 8080));
  lab_->engine.publish("192.168.127.2", 8080, "172.17.0.3:80");
  EXPECT_TRUE(notified());
  list();
  EXPECT_EQ(from_host(8080), "two\n");
  EXPECT_EQ(from_wsl(8080), "one\n");
}

TEST_P(loopback_rules, a_specific_address_is_reachable_too) {
  lab_->serve(lab_->one, "web", {"tcp:80"});
  lab_->engine.start();
  lab_->engine.publish("172.17.0.1", 8080, "172.17.0.2:80");
  lab_->engine.publish("192.168.127.2", 8081, "172.17.0.2:80");
  list();
  add(key("172.17.0.1", 8080));
  add(key("192.168.127.2", 8081));
  for (const std::uint16_t port : {std::uint16_t{8080}, std::uint16_t{8081}}) {
    EXPECT_EQ(from_host(port), "web\n");
    EXPECT_EQ(from_wsl(port), "web\n");
  }
}

TEST_P(loopback_rules, a_thousand_ports_at_once) {
  lab_->serve(lab_->one, "web", {"tcp:80"});
  lab_->engine.start();
  std::string lines;
  std::vector<ports::operation> batch, removals;
  for (std::uint16_t port = 20'000; port < 21'000; ++port) {
    lines += "-A DOCKER -p tcp -d 127.0.0.1 --dport " + std::to_string(port) +
             " -j DNAT --to-destination 172.17.0.2:80 ! -i docker0\n";
    batch.push_back(op(verb::add, key("127.0.0.1", port)));
    removals.push_back(op(verb::remove, key("127.0.0.1", port)));
  }
  lab_->engine.restore(lines);
  list();
  auto timed = [](const char* what, auto&& work) {
    const auto start = async::clock::now();
    work();
    const auto ms = std::chrono::duration<double, std::milli>(async::clock::now() - start).count();
    testing::Test::RecordProperty(what, std::to_string(ms));
    std::printf("%s: %.1f ms\n", what, ms);
  };
  timed("add_1000", [&] { EXPECT_THAT(apply(batch), Each(Field(&ports::outcome::kind, outcome_kind::done))); });
  EXPECT_THAT(ours(chain), SizeIs(1000));
  EXPECT_EQ(from_host(20'000), "web\n");
  EXPECT_EQ(from_host(20'999), "web\n");
  timed("list_1000", [&] { EXPECT_THAT(list(), SizeIs(1000)); });
  timed("remove_one_of_1000", [&] { remove(key("127.0.0.1", 20'500)); });
  timed("add_one_to_999", [&] { add(key("127.0.0.1", 20'500)); });
  timed("remove_1000", [&] { EXPECT_THAT(apply(removals), Each(Field(&ports::outcome::kind, outcome_kind::done))); });
  EXPECT_THAT(ours(chain), IsEmpty());
  timed("add_one", [&] { add(key("127.0.0.1", 20'500)); });
}

// An engine that adds a large range changes the table all the time.
TEST_P(loopback_rules, three_containers_come_and_go_while_a_thousand_ports_are_published) {
  lab_->serve(lab_->one, "web", {"tcp:80"});
  lab_->engine.start();
  list();
  std::jthread publisher([this] {
    for (int first = 20'000; first < 21'000; first += 20) {
      std::string lines;
      for (int port = first; port < first + 20; ++port)
        lines += "-A DOCKER -p tcp -d 10.9.9.9 --dport " + std::to_string(port) +
                 " -j DNAT --to-destination 172.17.0.3:80\n";
      lab_->engine.restore(lines);
    }
  });
  const auto all_done = [this](verb what) {
    return eventually(20s, [&] {
      std::vector<ports::operation> batch;
      for (std::uint16_t port = 8081; port <= 8083; ++port) batch.push_back(op(what, key("127.0.0.1", port)));
      const auto outcomes = apply(batch);
      return std::ranges::all_of(outcomes, [](const auto& o) { return o.kind == outcome_kind::done; });
    });
  };
  for (int round = 0; round < 20; ++round) {
    for (int port = 8081; port <= 8083; ++port) lab_->engine.publish("127.0.0.1", port, "172.17.0.2:80");
    ASSERT_TRUE(all_done(verb::add)) << round;
    EXPECT_THAT(ours(chain), SizeIs(3)) << round;
    EXPECT_EQ(from_host(static_cast<std::uint16_t>(8081 + round % 3)), "web\n") << round;
    for (int port = 8081; port <= 8083; ++port) lab_->engine.unpublish("127.0.0.1", port, "172.17.0.2:80");
    ASSERT_TRUE(all_done(verb::remove)) << round;
    EXPECT_THAT(ours(), IsEmpty()) << round;
  }
  publisher.join();
  EXPECT_THAT(lab_->engine.rules("DOCKER"), SizeIs(1001));
}

TEST_P(loopback_rules, a_lock_that_is_held_is_waited_for) {
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  list();
  std::jthread other;
  {
    base::unique_fd lock(::open("/run/xtables.lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
    ::flock(lock.get(), LOCK_EX);
    other =
        std::jthread([held = std::move(lock)] { std::this_thread::sleep_for(300ms); });  // NOLINT: holds it that long
  }
  add(key("127.0.0.1", 8080));
  EXPECT_THAT(ours(chain), SizeIs(1));
}

TEST_P(loopback_rules, the_tap_may_come_later) {
  sink_.reset();
  lab_.reset();
  lab_.emplace(GetParam(), false);
  start_sink();
  lab_->serve(lab_->one, "web", {"tcp:80"});
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  list();
  add(key("127.0.0.1", 8080));
  add(key("::1", 9000));
  const auto listener = open_socket(lab_->rd, protocol::tcp, {net::address::loopback_v6(), 9000}, true);
  EXPECT_EQ(from_wsl(8080), "web\n");
  EXPECT_FALSE(refused(lab_->wsl, {veth, 9000}));
  EXPECT_THAT(ours(), SizeIs(3)) << "two ports, and the veth's jump";
  lab_->connect_tap();
  EXPECT_TRUE(notified());
  list();
  EXPECT_THAT(ours(), SizeIs(4));
  EXPECT_EQ(from_host(8080), "web\n");
  EXPECT_FALSE(refused(lab_->host, {tap, 9000}));
}

INSTANTIATE_TEST_SUITE_P(, loopback_rules, testing::Values(nat_variant::nft, nat_variant::legacy),
                         [](const auto& about) { return std::string(netfilter::to_string(about.param)); });

}  // namespace
