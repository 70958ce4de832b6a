#include "programs/guestagentctl/readiness.hpp"

#include <gmock/gmock.h>

#include "net/endpoint.hpp"

namespace guestagentctl {
namespace {

using testing::HasSubstr;

const question web{.port = 8080, .protocol = "tcp"};

status_document::port port_of(std::string decision, std::vector<std::string> states, std::string address = "0.0.0.0") {
  status_document::port p{
      .protocol = "tcp", .address = std::move(address), .number = 8080, .name = "web", .decision = std::move(decision)};
  for (auto& state : states) p.peers.push_back({"peer" + std::to_string(p.peers.size()), std::move(state), "", "", {}});
  return p;
}

judgement of(std::vector<status_document::port> ports) {
  return judge({.sources = {{.name = "docker", .state = "ok"}}, .ports = std::move(ports)}, web);
}

TEST(readiness, a_port_is_open_when_every_peer_has_it) {
  EXPECT_EQ(of({port_of("exposed", {"applied", "applied"})}).state, readiness::open);
  EXPECT_EQ(of({port_of("exposed", {"applied", "foreign"})}).state, readiness::open);
  EXPECT_EQ(of({port_of("exposed", {"applied"})}).text, "tcp 0.0.0.0:8080 of web");
  for (const auto* state : {"pending", "retrying", "refused", "down", "removing", "later"}) {
    const auto j = of({port_of("exposed", {"applied", state})});
    EXPECT_EQ(j.state, readiness::opening) << state;
    EXPECT_THAT(j.text, HasSubstr(std::string(state) + " at peer1"));
  }
  EXPECT_EQ(of({port_of("exposed", {})}).state, readiness::opening) << "no peer has it";
}

TEST(readiness, an_open_tcp_port_is_asked_where_it_answers_inside_the_vm) {
  auto one = port_of("exposed", {"applied"}), other = port_of("exposed", {"applied"}, "127.0.0.2");
  one.guest_address = "0.0.0.0";
  other.guest_address = "::1";
  other.guest_port = 80;
  EXPECT_THAT(of({one, other}).inside,
              testing::ElementsAre(*net::parse_endpoint("0.0.0.0:8080"), *net::parse_endpoint("[::1]:80")));
  EXPECT_THAT(of({port_of("exposed", {"applied"})}).inside, testing::IsEmpty()) << "an agent that does not say where";
  one.protocol = "udp";
  const auto udp = judge({.ports = {one}}, {.port = 8080, .protocol = "udp"});
  EXPECT_EQ(udp.state, readiness::open);
  EXPECT_THAT(udp.inside, testing::IsEmpty());
}

TEST(readiness, every_address_of_the_port_has_to_be_open) {
  EXPECT_EQ(of({port_of("exposed", {"applied"}), port_of("exposed", {"pending"}, "127.0.0.2")}).state,
            readiness::opening);
  EXPECT_EQ(of({port_of("exposed", {"applied"}), port_of("covered", {}, "127.0.0.1")}).state, readiness::open);
  EXPECT_EQ(of({port_of("exposed", {"applied"}), port_of("shadowed", {}, "127.0.0.2")}).state, readiness::open);
}

TEST(readiness, a_conflict_at_one_peer_is_a_conflict) {
  EXPECT_EQ(of({port_of("exposed", {"applied", "conflict"})}).state, readiness::conflict);
  EXPECT_EQ(of({port_of("exposed", {"conflict", "pending"})}).state, readiness::conflict);
}

TEST(readiness, what_is_left_out_does_not_open_by_waiting) {
  for (const auto* decision : {"restricted", "unsupported", "shadowed", "ignored"}) {
    auto p = port_of(decision, {});
    p.reason = "the reason";
    const auto j = of({p});
    EXPECT_EQ(j.state, readiness::left_out) << decision;
    EXPECT_THAT(j.text, HasSubstr("the reason"));
  }
  EXPECT_EQ(of({port_of("leftover", {"removing"})}).state, readiness::opening);
}

TEST(readiness, another_port_and_protocol_do_not_count) {
  auto udp = port_of("exposed", {"applied"});
  udp.protocol = "udp";
  auto other = port_of("exposed", {"applied"});
  other.number = 8081;
  EXPECT_EQ(of({udp, other}).text, "no source publishes it");
  EXPECT_EQ(of({udp, other}).state, readiness::opening);
}

TEST(readiness, a_port_that_a_rule_has_moved_is_named_with_its_number_on_the_host) {
  auto moved = port_of("exposed", {"applied"});
  moved.number = 9090;
  moved.guest_port = 8080;
  EXPECT_EQ(of({moved}).state, readiness::left_out);
  EXPECT_EQ(of({moved}).text,
            "tcp 0.0.0.0:9090 of web has the port 8080 inside the VM: a port rule gives it the port 9090 on the host");
  EXPECT_EQ(of({moved, port_of("exposed", {"applied"})}).state, readiness::open) << "another port has the number";
}

TEST(readiness, a_source_that_cannot_be_read_is_named) {
  const auto j = judge({.sources = {{.name = "docker", .state = "degraded"}}}, web);
  EXPECT_EQ(j.text, "not published, as far as is known; docker cannot be read now");
}

}  // namespace
}  // namespace guestagentctl
