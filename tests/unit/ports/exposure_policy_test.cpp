#include "ports/exposure_policy.hpp"

#include <gmock/gmock.h>

namespace ports {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

binding make(const char* address, std::uint16_t port, net::protocol protocol = net::protocol::tcp) {
  return {protocol, net::address::parse(address).value(), port, 80, "c1", "web"};
}
exposure_plan plan(std::vector<binding> bindings, network_mode mode = network_mode::network_tunnel) {
  port_table table;
  table.publish(source_id::docker, {std::move(bindings), {}, 1});
  return plan_exposure(table, {mode});
}
std::vector<std::string> keys(const forward_map& forwards) {
  std::vector<std::string> texts;
  for (const auto& [key, f] : forwards) texts.push_back(to_string(key));
  return texts;
}

TEST(ExposurePolicy, TunnelBindsWhatWasAskedFor) {
  const auto p = plan({make("0.0.0.0", 80), make("::", 80), make("127.0.0.1", 443)});
  EXPECT_THAT(keys(p.host), testing::ElementsAre("tcp 0.0.0.0:80", "tcp 127.0.0.1:443"));
  EXPECT_EQ(keys(p.host), keys(p.wsl));
  EXPECT_THAT(keys(p.loopback), testing::ElementsAre("tcp 127.0.0.1:443"));
}

TEST(ExposurePolicy, EachPeerGetsOnlyWhatItHolds) {
  const auto p = plan({make("127.0.0.1", 8080)});
  EXPECT_EQ(p.host.begin()->second.container_port, 0);
  EXPECT_EQ(p.wsl.begin()->second.container_port, 80);
  EXPECT_EQ(p.wsl.begin()->second.owner, "");
  EXPECT_EQ(p.loopback.begin()->second.owner, "c1");
}

TEST(ExposurePolicy, LoopbackKeepsTheAddressInsideTheVm) {
  EXPECT_THAT(keys(plan({make("::1", 8080)}).loopback), testing::ElementsAre("tcp [::1]:8080"));
  EXPECT_THAT(keys(plan({make("10.0.0.5", 8080)}).loopback), testing::ElementsAre("tcp 10.0.0.5:8080"));
  EXPECT_THAT(keys(plan({make("10.0.0.5", 8080)}).host), testing::ElementsAre("tcp 127.0.0.1:8080"));
}

TEST(ExposurePolicy, TheWildcardCoversTheLoopbackAddressWhileBothAreWanted) {
  const auto both = plan({make("0.0.0.0", 80), make("127.0.0.1", 80)});
  EXPECT_THAT(keys(both.host), testing::ElementsAre("tcp 0.0.0.0:80"));
  EXPECT_THAT(both.loopback, IsEmpty());
  ASSERT_THAT(both.ports, SizeIs(2));
  EXPECT_EQ(both.ports[1].decision, verdict::covered);
  EXPECT_THAT(keys(plan({make("127.0.0.1", 80)}).host), testing::ElementsAre("tcp 127.0.0.1:80"));
}

TEST(ExposurePolicy, NonAdminBindsToLoopbackAndRestrictsPrivilegedPorts) {
  const auto p = plan({make("0.0.0.0", 8080), make("127.0.0.1", 8080), make("0.0.0.0", 1023), make("0.0.0.0", 1024)},
                      network_mode::non_admin);
  EXPECT_THAT(keys(p.host), testing::ElementsAre("tcp 127.0.0.1:1024", "tcp 127.0.0.1:8080"));
  ASSERT_THAT(p.ports, SizeIs(3));
  EXPECT_EQ(p.ports[0].decision, verdict::restricted);
  EXPECT_THAT(p.ports[0].reason, testing::HasSubstr("1024"));
  EXPECT_THAT(p.ports[2].claims, SizeIs(2));
}

TEST(ExposurePolicy, SctpIsNamedAsUnsupported) {
  const auto p = plan({make("0.0.0.0", 8080, net::protocol::sctp)});
  EXPECT_THAT(p.host, IsEmpty());
  ASSERT_THAT(p.ports, SizeIs(1));
  EXPECT_EQ(p.ports[0].decision, verdict::unsupported);
}

exposure_plan plan_of(source_id source, binding b, network_mode mode = network_mode::network_tunnel) {
  port_table table;
  table.publish(source, {{std::move(b)}, {}, 1});
  return plan_exposure(table, {mode});
}

TEST(ExposurePolicy, ServicesAnswerAtEveryAddressOfTheVm) {
  const auto p = plan_of(source_id::kubernetes, make("127.0.0.1", 30'080));
  EXPECT_THAT(keys(p.host), testing::ElementsAre("tcp 127.0.0.1:30080"));
  EXPECT_EQ(keys(p.host), keys(p.wsl));
  EXPECT_THAT(p.loopback, IsEmpty());
}

TEST(ExposurePolicy, AStaticPortIsForTheOtherDistributionsAlone) {
  for (const auto mode : {network_mode::network_tunnel, network_mode::non_admin}) {
    const auto p = plan_of(source_id::fixed, make("127.0.0.1", 443), mode);
    EXPECT_THAT(p.host, IsEmpty());
    EXPECT_THAT(keys(p.wsl), testing::ElementsAre("tcp 127.0.0.1:443"));
    EXPECT_THAT(p.loopback, IsEmpty());
  }
}

TEST(ExposurePolicy, AStaticPortThatAContainerPublishesTooIsForTheHostAsWell) {
  port_table table;
  table.publish(source_id::fixed, {{make("127.0.0.1", 6443)}, {}, 1});
  table.publish(source_id::docker, {{make("127.0.0.1", 6443)}, {}, 1});
  const auto p = plan_exposure(table, {network_mode::network_tunnel});
  EXPECT_THAT(keys(p.host), testing::ElementsAre("tcp 127.0.0.1:6443"));
  EXPECT_THAT(keys(p.loopback), testing::ElementsAre("tcp 127.0.0.1:6443"));
}

TEST(ExposurePolicy, TcpAndUdpOfOneNumberAreBothExposed) {
  EXPECT_THAT(plan({make("0.0.0.0", 53), make("0.0.0.0", 53, net::protocol::udp)}).host, SizeIs(2));
}

}  // namespace
}  // namespace ports
