#include "sources/containerd/ports_codec.hpp"

#include <gmock/gmock.h>

namespace containerd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

engine::container with_label(const std::string& ports) {
  const container_record record{"abc", {{"nerdctl/ports", ports}, {"nerdctl/name", "web"}}};
  return describe_container("default", record, std::nullopt);
}

engine::container with_file(const std::string& text) {
  const container_record record{"abc", {{"nerdctl/state-dir", "/var/lib/nerdctl/x"}}};
  return describe_container("default", record, std::optional(text));
}

TEST(ports_codec, the_label) {
  const auto c = with_label(R"([{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":"127.0.0.1"},)"
                            R"({"HostPort":53,"ContainerPort":5353,"Protocol":"UDP","HostIP":"::"}])");
  EXPECT_THAT(c.refusals, IsEmpty());
  const auto traits = ports::encode_traits({.name = "web", .space = "default"}).text;
  EXPECT_THAT(c.bindings, ElementsAre(ports::binding{net::protocol::tcp, net::address::loopback_v4(), 8080, 80,
                                                     "default/abc", "web", ports::serving::nat_rule, traits},
                                      ports::binding{net::protocol::udp, *net::address::parse("::"), 53, 5353,
                                                     "default/abc", "web", ports::serving::nat_rule, traits}));
}

TEST(ports_codec, localhost_is_loopback) {
  const auto c = with_label(R"([{"HostPort":8080,"ContainerPort":80,"HostIP":"localhost"}])");
  EXPECT_THAT(c.refusals, IsEmpty());
  ASSERT_THAT(c.bindings, SizeIs(1));
  EXPECT_EQ(c.bindings[0].host_address, net::address::loopback_v4());
}

TEST(ports_codec, rules_see_namespace_image_and_labels_but_not_nerdctls_own) {
  const container_record record{
      "abc", {{"nerdctl/ports", R"([{"HostPort":80,"ContainerPort":80}])"}, {"tier", "front"}}, "nginx:1"};
  const auto c = describe_container("shop", record, std::nullopt);
  const auto traits = ports::decode_traits(c.bindings.at(0).traits);
  EXPECT_EQ(traits.name, "") << "an id is no name";
  EXPECT_EQ(traits.space, "shop");
  EXPECT_EQ(traits.image, "nginx:1");
  ASSERT_THAT(traits.labels, SizeIs(1));
  EXPECT_EQ(traits.labels[0].key, "tier");
  EXPECT_EQ(traits.labels[0].value, "front");
}

TEST(ports_codec, rules_see_the_name_without_its_namespace) {
  const container_record record{
      "abc", {{"nerdctl/ports", R"([{"HostPort":80,"ContainerPort":80}])"}, {"nerdctl/name", "web"}}};
  const auto c = describe_container("shop", record, std::nullopt);
  EXPECT_EQ(c.name, "shop/web") << "for people";
  EXPECT_EQ(ports::decode_traits(c.bindings.at(0).traits).name, "web");
}

TEST(ports_codec, what_may_be_missing_is_missing) {
  const auto c = with_label(R"([{"HostPort":8080,"ContainerPort":80}])");
  ASSERT_THAT(c.bindings, SizeIs(1));
  EXPECT_EQ(c.bindings[0].protocol, net::protocol::tcp);
  EXPECT_EQ(c.bindings[0].host_address, net::address::any_v4());
  for (const char* nothing : {"[]", "null"}) {
    EXPECT_THAT(with_label(nothing).bindings, IsEmpty());
    EXPECT_THAT(with_label(nothing).refusals, IsEmpty());
  }
}

TEST(ports_codec, the_file) {
  const auto c = with_file(
      R"({"other":1,"portMappings":[{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":"0.0.0.0"}]})");
  EXPECT_THAT(c.bindings, SizeIs(1));
  EXPECT_THAT(with_file("{}").refusals, IsEmpty());
  EXPECT_THAT(with_file("{}").bindings, IsEmpty());
  EXPECT_THAT(with_file("{").refusals, SizeIs(1));
  EXPECT_THAT(with_file("").refusals, SizeIs(1));
}

TEST(ports_codec, the_label_is_stronger_than_the_file) {
  EXPECT_EQ(state_directory({"a", {{"nerdctl/state-dir", "/x"}}}), "/x");
  EXPECT_EQ(state_directory({"a", {{"nerdctl/state-dir", "/x"}, {"nerdctl/ports", "[]"}}}), std::nullopt);
  EXPECT_EQ(state_directory({"a", {}}), std::nullopt);
}

TEST(ports_codec, each_wrong_port_is_refused_alone) {
  const auto c = with_label(
      R"([{"HostPort":0,"ContainerPort":80},{"HostPort":70000,"ContainerPort":80},{"HostPort":-1,"ContainerPort":80},)"
      R"({"HostPort":"80; rm","ContainerPort":80},{"HostPort":81,"ContainerPort":0},{"HostPort":80.5,"ContainerPort":80},)"
      R"({"HostPort":81,"ContainerPort":80,"Protocol":"carrier pigeon"},{"HostPort":81,"ContainerPort":80,"HostIP":"example.com"},)"
      R"(7,null,{"HostPort":8080,"ContainerPort":80}])");
  ASSERT_THAT(c.bindings, SizeIs(1));
  EXPECT_EQ(c.bindings[0].host_port, 8080);
  ASSERT_THAT(c.refusals, SizeIs(10));
  EXPECT_THAT(c.refusals[3].what, HasSubstr("80; rm"));
  EXPECT_EQ(c.refusals[3].owner, "web");
}

TEST(ports_codec, hostile_texts_are_refused_as_a_whole) {
  for (const auto& text : {std::string(10'000, '['), std::string("{\"a\":1}"), std::string("\xff\xfe"),
                           std::string("[1"), std::string(2 << 20, ' ')}) {
    EXPECT_THAT(with_label(text).bindings, IsEmpty());
    EXPECT_THAT(with_label(text).refusals, SizeIs(1)) << text.substr(0, 20);
  }
  std::string many = "[";
  for (int i = 0; i < 100'000; ++i) many += "-1,";
  many.back() = ']';
  EXPECT_THAT(with_label(many).refusals, SizeIs(16)) << "enough to find the cause";
}

TEST(ports_codec, a_file_that_cannot_be_read_is_a_refusal) {
  const container_record record{"abc", {{"nerdctl/state-dir", "/x"}}};
  const auto c = describe_container("default", record, base::fail("network-config.json is not a regular file"));
  ASSERT_THAT(c.refusals, SizeIs(1));
  EXPECT_THAT(c.refusals[0].why, HasSubstr("not a regular file"));
}

TEST(ports_codec, names_tell_the_namespace_unless_it_is_the_default) {
  EXPECT_EQ(describe_container("default", {"abc", {}}, std::nullopt).name, "abc");
  EXPECT_EQ(describe_container("k8s.io", {"abc", {{"nerdctl/name", "web"}}}, std::nullopt).name, "k8s.io/web");
  EXPECT_THAT(describe_container("default", {"abc", {{"nerdctl/name", "a\nb"}}}, std::nullopt).name.str(),
              testing::Not(HasSubstr("\n")));
}

TEST(ports_codec, a_global_id_can_be_taken_apart) {
  const auto [name_space, id] = split_global_id(global_id("k8s.io", "abc"));
  EXPECT_EQ(name_space, "k8s.io");
  EXPECT_EQ(id, "abc");
  EXPECT_EQ(split_global_id("abc").name_space, "");
}

}  // namespace
}  // namespace containerd
