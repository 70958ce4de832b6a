// Each way to publish a port: its address on the host and in the other WSL distributions, and that it works there.
#include <fmt/format.h>
#include <sys/socket.h>

#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

using support::ask;

class publish : public with_each_iptables {
 protected:
  void remove_and_expect_nothing_left(const std::vector<std::string>& names) {
    for (const auto& name : names) lab_->docker().docker({"rm", "-f", name});
    expect_nothing_left();
  }
  [[nodiscard]] net::endpoint at(const char* text) const { return *net::parse_endpoint(text); }
};
INSTANTIATE_WITH_EACH_IPTABLES(publish);

TEST_P(publish, on_every_address) {
  lab_->docker().run("web", {"-p", "8080:80"});
  expect_published({"tcp 0.0.0.0:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
  expect_answer(lab_->host(), "tcp [::1]:8080", "web");
  expect_answer(lab_->host(), "tcp 192.168.127.1:8080", "web");
  remove_and_expect_nothing_left({"web"});
  expect_refused("tcp 127.0.0.1:8080");
}

TEST_P(publish, on_loopback_only) {
  lab_->docker().run("web", {"-p", "127.0.0.1:8080:80"});
  expect_published({"tcp 127.0.0.1:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
  EXPECT_TRUE(support::refused(lab_->host(), at("192.168.127.1:8080")))
      << "what was published on loopback must not be open to the network";
  EXPECT_TRUE(support::refused(lab_->wsl(), at("192.168.143.2:8080")));
  remove_and_expect_nothing_left({"web"});
  expect_refused("tcp 127.0.0.1:8080");
}

TEST_P(publish, on_ipv6_loopback) {
  lab_->docker().run("web", {"-p", "[::1]:8080:80"});
  expect_published({"tcp 127.0.0.1:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
  remove_and_expect_nothing_left({"web"});
}

// docker-proxy listens on [::] for IPv6 alone; packets from the host are IPv4.
TEST_P(publish, on_every_ipv6_address_alone) {
  lab_->docker().run("web", {"-p", "[::]:8090:80"});
  expect_answers("tcp 127.0.0.1:8090", "web");
  expect_answer(lab_->host(), "tcp 192.168.127.1:8090", "web");
  remove_and_expect_nothing_left({"web"});
}

TEST_P(publish, on_another_loopback_address) {
  lab_->docker().run("web", {"-p", "127.0.0.9:8080:80"});
  expect_published({"tcp 127.0.0.1:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
  remove_and_expect_nothing_left({"web"});
}

TEST_P(publish, on_the_tap_address) {
  lab_->docker().run("web", {"-p", "192.168.127.2:8080:80"});
  expect_published({"tcp 127.0.0.1:8080"});
  expect_answers("tcp 127.0.0.1:8080", "web");
  remove_and_expect_nothing_left({"web"});
}

TEST_P(publish, udp_with_replies_to_each_sender) {
  lab_->docker().run("dns", {"-p", "5353:53/udp", "-p", "127.0.0.1:5454:53/udp"}, {"udp:53"});
  expect_published({"udp 0.0.0.0:5353", "udp 127.0.0.1:5454"});
  expect_answers("udp 127.0.0.1:5353", "dns");
  expect_answers("udp 127.0.0.1:5454", "dns");
  const std::string large(60'000, 'x');
  EXPECT_EQ(ask(lab_->host(), protocol::udp, at("127.0.0.1:5353"), large), "dns " + large);
  EXPECT_EQ(ask(lab_->wsl(), protocol::udp, at("127.0.0.1:5454"), large), "dns " + large);
  remove_and_expect_nothing_left({"dns"});
}

TEST_P(publish, udp_several_clients_at_once) {
  lab_->docker().run("dns", {"-p", "5353:53/udp"}, {"udp:53"});
  expect_answer(lab_->host(), "udp 127.0.0.1:5353", "dns");
  std::vector<base::unique_fd> clients;
  for (int i = 0; i < 8; ++i)
    clients.push_back(support::open_socket(lab_->host(), protocol::udp, at("127.0.0.1:5353"), false));
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const auto question = fmt::format("client {}", i);
    ASSERT_EQ(::send(clients[i].get(), question.data(), question.size(), 0), std::ssize(question));
  }
  for (std::size_t i = 0; i < clients.size(); ++i)
    EXPECT_EQ(support::receive_once(clients[i].get()), fmt::format("dns client {}", i));
}

TEST_P(publish, tcp_and_udp_on_one_number) {
  lab_->docker().run("one", {"-p", "5300:53/tcp"}, {"tcp:53"});
  lab_->docker().run("two", {"-p", "127.0.0.1:5300:53/udp"}, {"udp:53"});
  expect_published({"tcp 0.0.0.0:5300", "udp 127.0.0.1:5300"});
  expect_answers("tcp 127.0.0.1:5300", "one");
  expect_answers("udp 127.0.0.1:5300", "two");
  lab_->docker().docker({"rm", "-f", "one"});
  expect_published({"udp 127.0.0.1:5300"});
  expect_answers("udp 127.0.0.1:5300", "two");
  remove_and_expect_nothing_left({"two"});
}

TEST_P(publish, several_ports_of_one_container) {
  lab_->docker().run("web",
                     {"-p", "8080:80", "-p", "127.0.0.1:8081:80", "-p", "8082-8089:1002-1009", "-p", "8080:53/udp"},
                     {"tcp:80", "tcp:1002-1009", "udp:53"});
  published_set all{"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081", "udp 0.0.0.0:8080"};
  for (int port = 8082; port <= 8089; ++port) all.insert(fmt::format("tcp 0.0.0.0:{}", port));
  expect_published(all);
  for (const auto* port : {"tcp 127.0.0.1:8080", "tcp 127.0.0.1:8081", "tcp 127.0.0.1:8085", "udp 127.0.0.1:8080"})
    expect_answers(port, "web");
  remove_and_expect_nothing_left({"web"});
}

TEST_P(publish, two_containers_that_become_one_port_of_the_host) {
  lab_->docker().run("loop", {"-p", "127.0.0.1:8080:80"});
  lab_->docker().run("tap", {"-p", "192.168.127.2:8080:80"});
  expect_published({"tcp 127.0.0.1:8080"});
  lab_->docker().docker({"rm", "-f", "loop"});
  expect_published({"tcp 127.0.0.1:8080"});
  expect_answer(lab_->host(), "tcp 127.0.0.1:8080", "tap");
  remove_and_expect_nothing_left({"tap"});
}

TEST_P(publish, from_two_networks) {
  for (const auto* name : {"front", "back"}) lab_->docker().docker({"network", "create", name});
  lab_->docker().run("web", {"--network", "front", "-p", "8080:80", "-p", "127.0.0.1:8081:80"});
  lab_->docker().docker({"network", "connect", "back", "web"});
  lab_->docker().run("other", {"--network", "back", "-p", "127.0.0.1:8082:80"});
  expect_published({"tcp 0.0.0.0:8080", "tcp 127.0.0.1:8081", "tcp 127.0.0.1:8082"});
  expect_answers("tcp 127.0.0.1:8080", "web");
  expect_answers("tcp 127.0.0.1:8081", "web");
  expect_answers("tcp 127.0.0.1:8082", "other");
  lab_->docker().docker(
      {"network", "disconnect", "front", "web"});  // the engine now publishes through the other network
  expect_answers("tcp 127.0.0.1:8080", "web");
  expect_answers("tcp 127.0.0.1:8081", "web");
  for (const auto* name : {"web", "other"}) lab_->docker().docker({"rm", "-f", name});
  for (const auto* name : {"front", "back"}) lab_->docker().docker({"network", "rm", name});
  expect_nothing_left();
}

TEST_P(publish, the_next_container_on_the_same_loopback_port) {
  for (const auto* name : {"first", "second", "third"}) {
    lab_->docker().run(name, {"-p", "127.0.0.1:8080:80"});
    expect_published({"tcp 127.0.0.1:8080"});
    expect_answers("tcp 127.0.0.1:8080", name);
    lab_->docker().docker({"rm", "-f", name});
  }
  expect_nothing_left();
}

}  // namespace
}  // namespace integration
