#include "sources/docker/docker_codec.hpp"

#include <gmock/gmock.h>

namespace docker {
namespace {

using engine::container;

using testing::IsEmpty;
using testing::SizeIs;

std::string inspect(const std::string& ports, bool running = true) {
  return R"({"Id":"abc","Name":"/web","State":{"Running":)" + std::string(running ? "true" : "false") +
         R"(},"NetworkSettings":{"Ports":)" + ports + "}}";
}
container parse(const std::string& ports) { return parse_inspect(inspect(ports)).value().value(); }

TEST(docker_codec, inspect_has_every_binding_of_every_port) {
  const auto c = parse(R"({"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}],
                           "53/udp":[{"HostIp":"127.0.0.1","HostPort":"5353"}],"81/tcp":null})");
  EXPECT_EQ(c.id, "abc");
  EXPECT_EQ(c.name, "web");
  ASSERT_THAT(c.bindings, SizeIs(3));
  EXPECT_EQ(c.bindings[0],
            (ports::binding{net::protocol::tcp, net::address::any_v4(), 8080, 80, "abc", "web",
                            ports::serving::rule_and_proxy, ports::encode_traits({.name = "web"}).text}));
  EXPECT_EQ(c.bindings[1].host_address, net::address::any_v6());
  EXPECT_EQ(c.bindings[2].protocol, net::protocol::udp);
  EXPECT_THAT(c.refusals, IsEmpty());
}

std::string traits(const ports::binding& b) {
  const auto of = ports::decode_traits(b.traits);
  auto text = std::string(of.name) + "@" + std::string(of.image);
  for (const auto& [key, value] : of.labels) text.append(" ").append(key).append("=").append(value);
  return text;
}

TEST(docker_codec, image_and_labels_are_the_same_in_both_answers) {
  const auto inspected = parse_inspect(
      R"({"Id":"abc","Name":"/web","State":{"Running":true},"Config":{"Image":"nginx:1","Labels":{"tier":"front","odd":7}},
          "NetworkSettings":{"Ports":{"80/tcp":[{"HostPort":"8080"}]}}})");
  EXPECT_EQ(traits(inspected.value()->bindings.at(0)), "web@nginx:1 tier=front");
  const auto listed = parse_list(
      R"([{"Id":"abc","Names":["/web"],"Image":"nginx:1","Labels":{"tier":"front"},"Ports":[{"PrivatePort":80,"PublicPort":8080}]}])");
  EXPECT_EQ(listed->running.at(0).bindings.at(0).traits, inspected.value()->bindings.at(0).traits);
}

TEST(docker_codec, a_container_whose_image_has_lost_its_name_is_asked_about) {
  const auto list = parse_list(
      R"([{"Id":"a","Image":"sha256:12","Ports":[{"PublicPort":80,"PrivatePort":80}]},
          {"Id":"b","Image":"sha256:12","Ports":[]}])");
  EXPECT_THAT(list->unknown, testing::ElementsAre("a"));
  ASSERT_THAT(list->running, SizeIs(1));
  EXPECT_EQ(list->running[0].id, "b") << "without ports its image does not matter";
}

TEST(docker_codec, labels_that_are_not_kept_are_named) {
  const auto c = parse_inspect(R"({"Id":"abc","State":{"Running":true},"Config":{"Labels":{"a":")" +
                               std::string(ports::max_traits_bytes, 'x') +
                               R"("}},"NetworkSettings":{"Ports":{"80/tcp":[{"HostPort":"8080"}]}}})");
  ASSERT_THAT(c.value()->refusals, SizeIs(1));
  EXPECT_EQ(c.value()->refusals[0].what, "labels");
  EXPECT_FALSE(ports::decode_traits(c.value()->bindings.at(0).traits).complete);
}

TEST(docker_codec, an_empty_host_ip_is_the_wildcard_and_localhost_is_loopback) {
  EXPECT_TRUE(parse(R"({"80/tcp":[{"HostIp":"","HostPort":"1"}]})").bindings[0].host_address.is_unspecified());
  EXPECT_TRUE(parse(R"({"80/tcp":[{"HostIp":"localhost","HostPort":"1"}]})").bindings[0].host_address.is_loopback());
}

TEST(docker_codec, sctp_is_kept_for_the_policy_to_name) {
  EXPECT_EQ(parse(R"({"9/sctp":[{"HostIp":"","HostPort":"9"}]})").bindings[0].protocol, net::protocol::sctp);
}

TEST(docker_codec, what_is_wrong_is_refused_alone) {
  const auto c = parse(R"({"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"0"},{"HostIp":"0.0.0.0","HostPort":"70000"},
      {"HostIp":"0.0.0.0","HostPort":"80; rm"},{"HostIp":"nowhere","HostPort":"81"},{"HostIp":"0.0.0.0","HostPort":"82"},7,null],
      "0/tcp":[{"HostPort":"1"}],"x/tcp":[{"HostPort":"1"}],"80/ipx":[{"HostPort":"1"}]})");
  ASSERT_THAT(c.bindings, SizeIs(1));
  EXPECT_EQ(c.bindings[0].host_port, 82);
  EXPECT_THAT(c.refusals, SizeIs(9));
}

TEST(docker_codec, refusals_are_bounded) {
  std::string list = R"({"HostPort":"bad"})";
  for (int i = 0; i < 1000; ++i) list += R"(,{"HostPort":"bad"})";
  EXPECT_THAT(parse(R"({"80/tcp":[)" + list + "]}").refusals, SizeIs(16));
}

TEST(docker_codec, a_container_that_does_not_run_has_nothing) {
  EXPECT_EQ(parse_inspect(inspect("{}", false)).value(), std::nullopt);
  EXPECT_TRUE(
      parse_inspect(R"({"Id":"a","State":{"Running":false,"Paused":true},"NetworkSettings":{"Ports":{}}})").value())
      << "podman's paused containers";
}

TEST(docker_codec, inspect_answers_that_are_none_are_errors) {
  for (const auto* bad : {"", "{}", "[]", R"({"Id":7})", R"({"Id":"a/../b"})", R"({"Id":"abc")"})
    EXPECT_FALSE(parse_inspect(bad)) << bad;
}

// A missing member is unknown: it means neither "does not run" nor "has no ports".
TEST(docker_codec, what_an_inspect_does_not_say_is_not_nothing) {
  for (const auto* bad :
       {R"({"Id":"abc"})", R"({"Id":"abc","State":{}})", R"({"Id":"abc","State":{"Running":"yes"}})",
        R"({"Id":"abc","State":{"Running":true}})", R"({"Id":"abc","State":{"Running":true},"NetworkSettings":{}})",
        R"({"Id":"abc","State":{"Running":true},"NetworkSettings":{"Ports":"x"}})"})
    EXPECT_FALSE(parse_inspect(bad)) << bad;
  EXPECT_THAT(parse("null").bindings, IsEmpty()) << "podman has no ports like this";
}

TEST(docker_codec, what_a_list_does_not_say_is_unknown) {
  const auto list = parse_list(R"([{"Id":"a"},{"Id":"b","Ports":"x"},{"Id":"c","Ports":null},{"Id":"d","Ports":[]}])");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->unknown, (std::set<std::string>{"a", "b"}));
  EXPECT_THAT(list->running, SizeIs(2));
}

TEST(docker_codec, lists_have_ports_as_numbers) {
  const auto list = parse_list(R"([{"Id":"a","Names":["/one"],"Ports":[
      {"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},
      {"IP":"::","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},{"PrivatePort":81,"Type":"tcp"}]},
      {"Id":"b","Ports":[{"PrivatePort":0,"PublicPort":9,"Type":"tcp"},{"PrivatePort":80,"PublicPort":99999999999,"Type":"tcp"}]},
      {"Id":""},{},null])");
  ASSERT_TRUE(list) << list.error().message();
  ASSERT_THAT(list->running, SizeIs(2));
  EXPECT_EQ(list->running.at(0).name, "one");
  EXPECT_THAT(list->running.at(0).bindings, SizeIs(2));
  EXPECT_THAT(list->running.at(1).bindings, IsEmpty());
  EXPECT_THAT(list->running.at(1).refusals, SizeIs(2));
  EXPECT_FALSE(parse_list("{}"));
}

// An engine reports nothing but what the filter names.
TEST(docker_codec, the_filter_of_events_names_each_that_counts) {
  EXPECT_EQ(events_filter(),
            R"({"type":{"container":true,"network":true,"service":true},"event":{"connect":true,"create":true,)"
            R"("destroy":true,"die":true,"died":true,"disconnect":true,"pause":true,"remove":true,"rename":true,)"
            R"("restart":true,"restore":true,"start":true,"stop":true,"unpause":true,"update":true}})");
}

TEST(docker_codec, events_are_starts_ends_and_others) {
  const auto of = [](const std::string& what) {
    return parse_event(R"({"Action":")" + what + R"(","Actor":{"ID":"abc"}})").value();
  };
  EXPECT_EQ(of("start").what, action::changed);
  EXPECT_EQ(of("start").id, "abc");
  EXPECT_EQ(of("die").what, action::ended);
  EXPECT_EQ(of("stop").what, action::stopped);
  EXPECT_EQ(of("exec_start: sh").what, action::other);
  EXPECT_EQ(parse_event(R"({"Action":"start","Actor":{"ID":"../x"}})").value().what, action::other);
  EXPECT_FALSE(parse_event("no"));
}

TEST(docker_codec, the_older_version_is_spoken) {
  EXPECT_EQ(choose_version("1.41"), "1.41");
  EXPECT_EQ(choose_version("1.99"), "1.52");
  EXPECT_EQ(choose_version("2.0"), "1.52");
  for (const auto* bad : {"", "1", "1.x", "-1.2", "1.41/../"}) EXPECT_EQ(choose_version(bad), std::nullopt) << bad;
}

TEST(docker_codec, names_are_shown_harmlessly) {
  const auto c =
      parse_inspect(
          "{\"Id\":\"abc\",\"Name\":\"/\\u001b[31m\",\"State\":{\"Running\":true},\"NetworkSettings\":{\"Ports\":{}}}")
          .value();
  EXPECT_EQ(c->name, "\\x1b[31m");
}

}  // namespace
}  // namespace docker
