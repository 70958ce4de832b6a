#include "sources/docker/swarm_codec.hpp"

#include <gmock/gmock.h>

namespace docker {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

swarm_role role_of(const std::string& swarm) { return parse_swarm_role(R"({"Swarm":)" + swarm + "}").value(); }

TEST(swarm_codec, the_role_of_a_node) {
  EXPECT_EQ(parse_swarm_role("{}").value(), swarm_role::none) << "podman";
  EXPECT_EQ(role_of("null"), swarm_role::none);
  EXPECT_EQ(role_of(R"({"LocalNodeState":"inactive","ControlAvailable":false})"), swarm_role::none);
  EXPECT_EQ(role_of(R"({"LocalNodeState":"active","ControlAvailable":true})"), swarm_role::manager);
  for (const auto* state : {"active", "pending", "locked", "error", "new"})
    EXPECT_EQ(role_of(R"({"LocalNodeState":")" + std::string(state) + R"("})"), swarm_role::unknown) << state;
  for (const auto* bad : {"", "[]", "{"}) EXPECT_FALSE(parse_swarm_role(bad)) << bad;
}

std::string service(const std::string& ports, const std::string& asked) {
  return R"({"ID":"s1","Spec":{"Name":"web","EndpointSpec":{"Ports":)" + asked + R"(}},"Endpoint":{"Ports":)" + ports +
         "}}";
}
std::string service(const std::string& ports) { return service(ports, ports); }

TEST(swarm_codec, ports_of_the_ingress_network_are_open_everywhere) {
  const auto s = parse_service(service(
      R"([{"Protocol":"tcp","TargetPort":80,"PublishedPort":8080,"PublishMode":"ingress"},
          {"Protocol":"udp","TargetPort":53,"PublishedPort":5353},
          {"Protocol":"tcp","TargetPort":81,"PublishedPort":8081,"PublishMode":"host"}])"));
  ASSERT_TRUE(s) << s.error().message();
  EXPECT_EQ(s->id, "service/s1");
  EXPECT_EQ(s->name, "web");
  ASSERT_THAT(s->bindings, SizeIs(2)) << "a port in mode host is its container's";
  EXPECT_EQ(s->bindings[0].host_address, net::address::any_v4());
  EXPECT_EQ(s->bindings[0].host_port, 8080);
  EXPECT_EQ(s->bindings[0].container_port, 80);
  EXPECT_EQ(s->bindings[0].served, ports::serving::rule_and_proxy);
  EXPECT_EQ(s->bindings[1].protocol, net::protocol::udp);
}

TEST(swarm_codec, ports_that_are_not_assigned_yet_are_unknown) {
  const auto* asked = R"([{"Protocol":"tcp","TargetPort":80,"PublishMode":"ingress"}])";
  EXPECT_FALSE(parse_service(service("null", asked)));
  const auto list = parse_services("[" + service("null", asked) + "]");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->unknown, (std::set<std::string>{"service/s1"}));
  EXPECT_THAT(list->running, IsEmpty());
  EXPECT_TRUE(parse_service(service("null"))) << "none are asked for";
}

TEST(swarm_codec, a_port_that_is_wrong_is_refused_alone) {
  const auto s = parse_service(service(
      R"([{"TargetPort":80,"PublishedPort":0},{"TargetPort":70000,"PublishedPort":1},7,
          {"Protocol":"pigeon","TargetPort":80,"PublishedPort":1},{"TargetPort":80,"PublishedPort":82}])"));
  ASSERT_TRUE(s);
  EXPECT_THAT(s->bindings, SizeIs(1));
  EXPECT_THAT(s->refusals, SizeIs(4));
}

TEST(swarm_codec, answers_that_are_none_are_errors) {
  for (const auto* bad : {"", "{}", "[]", R"({"ID":"../x"})", "{"}) EXPECT_FALSE(parse_service(bad)) << bad;
  for (const auto* bad : {"", "{}", "7", "["}) EXPECT_FALSE(parse_services(bad)) << bad;
  EXPECT_THAT(parse_services("[{},7]")->running, IsEmpty());
}

TEST(swarm_codec, ids_of_services_are_not_those_of_containers) {
  EXPECT_EQ(parse_service_id(service_id("abc")), "abc");
  EXPECT_EQ(parse_service_id("abc"), std::nullopt);
}

}  // namespace
}  // namespace docker
