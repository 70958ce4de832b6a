// The loopback sink with the real iptables, of both variants, and real packets.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <thread>

#include "io/timeout.hpp"
#include "sinks/loopback/loopback_sink.hpp"
#include "tests/integration/loopback_lab.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/temp_dir.hpp"

namespace {

using namespace support;
using namespace std::chrono_literals;
using loopback::nat_variant;
using net::protocol;
using ports::outcome_kind;
using ports::verb;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const net::address tap = net::address::v4(192, 168, 127, 2);
const net::address veth = net::address::v4(192, 168, 143, 1);
constexpr auto* tag = "rancher-desktop-guestagent:";

ports::port_key key(const char* address, std::uint16_t port, protocol p = protocol::tcp) {
  return {p, net::address::parse(address).value(), port};
}

class loopback_rules : public testing::TestWithParam<nat_variant> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (loopback::find_nat_programs().size() < 2) GTEST_SKIP() << "needs iptables-nft and iptables-legacy";
    lab_.emplace(GetParam());
    start_sink();
  }
  void TearDown() override {
    sink_.reset();
    lab_.reset();
  }

  void start_sink() {
    loopback::loopback_options options;
    options.rules.state_directory = state_.path();
    options.rules.legacy.poll_last = 200ms;
    sink_ = std::make_unique<loopback::loopback_sink>(context_.get_executor(), options);
  }
  std::vector<ports::held_forward> list() {
    auto listed = run_task(context_, sink_->list());
    EXPECT_TRUE(listed) << listed.error().message();
    return listed ? listed->held : std::vector<ports::held_forward>{};
  }
  static ports::operation op(verb what, const ports::port_key& k, std::uint16_t container_port = 80,
                             const std::string& owner = "abc") {
    return {what, {k, container_port, ports::source_id::docker, owner}};
  }
  std::vector<ports::outcome> apply(std::vector<ports::operation> batch) {
    return run_task(context_, sink_->apply(std::move(batch)));
  }
  void add(const ports::port_key& k, std::uint16_t container_port = 80, const std::string& owner = "abc") {
    const auto outcomes = apply({op(verb::add, k, container_port, owner)});
    EXPECT_EQ(outcomes.at(0).kind, outcome_kind::done) << outcomes.at(0).reason;
  }
  void remove(const ports::port_key& k) { EXPECT_EQ(apply({op(verb::remove, k)}).at(0).kind, outcome_kind::done); }
  // Whether changed() returns within two seconds.
  bool told() { return run_task(context_, io::within(2s, sink_->changed())).has_value(); }
  void close() {
    run_task(context_, [](loopback::loopback_sink& s) -> io::task<int> {
      co_await s.close();
      co_return 0;
    }(*sink_));
  }

  std::optional<std::string> from_host(std::uint16_t port, protocol p = protocol::tcp) const {
    return ask(lab_->host, p, {tap, port}, "x", 300ms);
  }
  std::optional<std::string> from_wsl(std::uint16_t port, protocol p = protocol::tcp) const {
    return ask(lab_->wsl, p, {veth, port}, "x", 300ms);
  }
  std::vector<std::string> ours(const std::string& chain = "") const {
    auto rules = lab_->engine.rules(chain);
    std::erase_if(rules, [](const auto& r) { return r.find(tag) == std::string::npos; });
    return rules;
  }
  static std::string route_localnet(const std::string& interface = "tap0") {
    std::string value;
    std::ifstream("/proc/sys/net/ipv4/conf/" + interface + "/route_localnet") >> value;
    return value;
  }

  temp_dir state_;
  boost::asio::io_context context_;
  std::optional<loopback_lab> lab_;
  std::unique_ptr<loopback::loopback_sink> sink_;
};

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
  EXPECT_THAT(ours("DOCKER"), SizeIs(2));
  add(key("127.0.0.1", 8080));
  EXPECT_THAT(ours("DOCKER"), SizeIs(2));
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
  EXPECT_EQ(route_localnet(), "1");
  EXPECT_EQ(route_localnet("veth0"), "0");
  EXPECT_EQ(route_localnet("all"), "0");
  close();
  EXPECT_EQ(lab_->engine.rules(), before);
  EXPECT_EQ(route_localnet(), "0");
  EXPECT_THAT(listening_sockets(lab_->rd), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(state_.path()));
  EXPECT_THAT(list(), IsEmpty());
  EXPECT_EQ(lab_->engine.rules(), before);
}

TEST_P(loopback_rules, the_pair_brings_the_tap_to_listeners_on_loopback) {
  lab_->engine.start();
  list();
  EXPECT_THAT(ours(), SizeIs(2));
  const auto listener = open_socket(lab_->rd, protocol::tcp, {net::address::loopback_v4(), 9000}, true);
  EXPECT_FALSE(refused(lab_->host, {tap, 9000}));
  EXPECT_TRUE(refused(lab_->wsl, {veth, 9000}));  // the pair is the tap's alone
  add(key("127.0.0.1", 9000));
  EXPECT_FALSE(refused(lab_->wsl, {veth, 9000}));
  EXPECT_THAT(ours("PREROUTING"), SizeIs(1));
}

TEST_P(loopback_rules, a_listener_on_v6_loopback_is_relayed_past_the_pair) {
  lab_->engine.start();
  list();
  const auto listener = open_socket(lab_->rd, protocol::tcp, {net::address::loopback_v6(), 9000}, true);
  add(key("::1", 9000));
  EXPECT_THAT(ours("PREROUTING"), ElementsAre(HasSubstr("--dport 9000"), HasSubstr("pair")));
  EXPECT_FALSE(refused(lab_->host, {tap, 9000}));
  EXPECT_FALSE(refused(lab_->wsl, {veth, 9000}));
  remove(key("::1", 9000));
  EXPECT_THAT(ours("PREROUTING"), SizeIs(1));
  EXPECT_TRUE(refused(lab_->host, {tap, 9000}));
}

TEST_P(loopback_rules, without_an_engine_ports_are_relayed) {
  list();
  lab_->serve(lab_->rd, "local",
              {"tcp:81", "udp:81"});  // on every address, so only 10.9.9.9 is free for a relay's target
  lab_->rd.ip({"address", "add", "10.9.9.9/32", "dev", "lo"});
  EXPECT_EQ(apply({op(verb::add, key("10.9.9.9", 81))}).at(0).kind,
            outcome_kind::conflict);  // the server has the tap's port too
  const auto listener = open_socket(lab_->rd, protocol::tcp, {net::address::loopback_v4(), 9000}, true);
  add(key("127.0.0.1", 9000));
  EXPECT_FALSE(refused(lab_->host, {tap, 9000}));
  EXPECT_FALSE(refused(lab_->wsl, {veth, 9000}));
  EXPECT_THAT(lab_->engine.rules(), IsEmpty());
  EXPECT_EQ(route_localnet(), "0");
}

TEST_P(loopback_rules, an_engine_that_comes_later_takes_over_from_the_relay) {
  lab_->serve(lab_->one, "web", {"tcp:80"});
  list();
  add(key("127.0.0.1", 8080));
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  EXPECT_TRUE(told() || GetParam() == nat_variant::legacy);
  EXPECT_THAT(list(), SizeIs(1));
  EXPECT_THAT(listening_sockets(lab_->rd), IsEmpty());
  EXPECT_EQ(from_host(8080), "web\n");
  EXPECT_THAT(lab_->engine.rules("PREROUTING"), ElementsAre(HasSubstr("-j DOCKER"), HasSubstr("pair")));
}

TEST_P(loopback_rules, a_jump_that_is_appended_later_comes_before_the_pair) {
  lab_->engine.start();
  list();
  lab_->engine.iptables({"-D", "PREROUTING", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "DOCKER"});
  lab_->engine.iptables({"-A", "PREROUTING", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "DOCKER"});
  EXPECT_TRUE(told());
  list();
  EXPECT_THAT(lab_->engine.rules("PREROUTING"), ElementsAre(HasSubstr("-j DOCKER"), HasSubstr("pair")));
  if (GetParam() == nat_variant::legacy) {  // nothing tells whose change it was: one look more
    EXPECT_TRUE(told());
    list();
  }
  EXPECT_FALSE(told());  // our own change is none
}

TEST_P(loopback_rules, a_leftover_rule_makes_no_port_dead) {
  lab_->serve(lab_->two, "new", {"tcp:80"});
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  list();
  add(key("127.0.0.1", 8080));
  start_sink();  // the first one was killed; meanwhile the container went and another one came
  lab_->engine.unpublish("127.0.0.1", 8080, "172.17.0.2:80");
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.3:80");
  EXPECT_THAT(list(), IsEmpty());
  EXPECT_THAT(ours("DOCKER"), IsEmpty());
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
  EXPECT_TRUE(told());
  EXPECT_THAT(list(), SizeIs(1));
  EXPECT_EQ(from_host(8080), "again\n");
  EXPECT_THAT(ours("DOCKER"), SizeIs(1));
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
  EXPECT_TRUE(told());
  EXPECT_THAT(list(), SizeIs(1));  // relayed to whoever listens
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  EXPECT_TRUE(told());
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
  EXPECT_TRUE(told());
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

// As CNI's portmap plugin publishes a port of every address with its nftables backend.
void publish_by_nftables(const netns& where, int port, const std::string& target) {
  run_or_throw({.argv = {"nft",
                         "add table ip cni_hostport; add chain ip cni_hostport hostports;"
                         "add chain ip cni_hostport prerouting { type nat hook prerouting priority dstnat; };"
                         "flush chain ip cni_hostport prerouting; flush chain ip cni_hostport hostports;"
                         "add rule ip cni_hostport prerouting jump hostports;"
                         "add rule ip cni_hostport hostports tcp dport " +
                             std::to_string(port) + " dnat to " + target + " comment \"web\""},
                .net_namespace = where.path()});
}

// Of two chains with one priority the kernel asks the latest first.
TEST_P(loopback_rules, a_port_of_cnis_nftables_backend_goes_past_the_pair_whichever_came_first) {
  for (const bool nftables_first : {true, false}) {
    SetUp();
    lab_->serve(lab_->one, "web", {"tcp:80"});
    if (nftables_first) publish_by_nftables(lab_->rd, 8080, "172.17.0.2:80");
    lab_->engine.start();
    list();
    EXPECT_THAT(ours("POSTROUTING"), SizeIs(1)) << "the pair";
    publish_by_nftables(lab_->rd, 8081, "172.17.0.2:80");
    EXPECT_TRUE(told());
    list();
    EXPECT_EQ(from_host(8081), "web\n") << nftables_first;
    run_or_throw({.argv = {"nft", "delete table ip cni_hostport"}, .net_namespace = lab_->rd.path()});
    EXPECT_TRUE(told());
    list();
    EXPECT_THAT(ours("PREROUTING"), SizeIs(1)) << "the pair alone";
    sink_.reset();
  }
}

TEST_P(loopback_rules, containers_get_no_access_that_they_did_not_have) {
  lab_->serve(lab_->one, "web", {"tcp:80"});
  lab_->engine.start();
  lab_->engine.publish("127.0.0.1", 8080, "172.17.0.2:80");
  list();
  add(key("127.0.0.1", 8080));
  EXPECT_EQ(ask(lab_->two, protocol::tcp, *net::parse_endpoint("172.17.0.1:8080"), "x", 300ms), std::nullopt);
  EXPECT_EQ(ask(lab_->two, protocol::tcp, {tap, 8080}, "x", 300ms), std::nullopt);
}

TEST_P(loopback_rules, the_containers_way_out_is_as_before) {
  lab_->engine.start();
  list();
  lab_->serve(lab_->host, "outside", {"tcp:7"});
  EXPECT_EQ(ask(lab_->one, protocol::tcp, *net::parse_endpoint("192.168.127.1:7"), "x"), "outside\n");
  EXPECT_EQ(ask(lab_->rd, protocol::tcp, *net::parse_endpoint("192.168.127.1:7"), "x"), "outside\n");
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
    const auto start = io::clock::now();
    work();
    const auto ms = std::chrono::duration<double, std::milli>(io::clock::now() - start).count();
    testing::Test::RecordProperty(what, std::to_string(ms));
    std::printf("%s: %.1f ms\n", what, ms);
  };
  timed("add_1000", [&] { EXPECT_THAT(apply(batch), Each(Field(&ports::outcome::kind, outcome_kind::done))); });
  EXPECT_THAT(ours("DOCKER"), SizeIs(1000));
  EXPECT_EQ(from_host(20'000), "web\n");
  EXPECT_EQ(from_host(20'999), "web\n");
  timed("list_1000", [&] { EXPECT_THAT(list(), SizeIs(1000)); });
  timed("remove_one_of_1000", [&] { remove(key("127.0.0.1", 20'500)); });
  timed("add_one_to_999", [&] { add(key("127.0.0.1", 20'500)); });
  timed("remove_1000", [&] { EXPECT_THAT(apply(removals), Each(Field(&ports::outcome::kind, outcome_kind::done))); });
  EXPECT_THAT(ours("DOCKER"), IsEmpty());
  timed("add_one", [&] { add(key("127.0.0.1", 20'500)); });
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
  EXPECT_THAT(ours("DOCKER"), SizeIs(1));
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
  EXPECT_THAT(ours(), SizeIs(1));
  lab_->connect_tap();
  EXPECT_TRUE(told());
  list();
  EXPECT_THAT(ours(), SizeIs(4));
  EXPECT_EQ(from_host(8080), "web\n");
  EXPECT_FALSE(refused(lab_->host, {tap, 9000}));
}

INSTANTIATE_TEST_SUITE_P(, loopback_rules, testing::Values(nat_variant::nft, nat_variant::legacy),
                         [](const auto& about) { return std::string(loopback::to_string(about.param)); });

}  // namespace
