#include "protocols/forwarder_api/answer_codec.hpp"

#include <gtest/gtest.h>

namespace forwarder_api {
namespace {

verdict exposed(unsigned status, std::string body) { return classify_expose({status, {}, std::move(body)}); }
verdict unexposed(unsigned status, std::string body) { return classify_unexpose({status, {}, std::move(body)}); }

TEST(answer_codec, encodes_a_list) {
  EXPECT_EQ(encode_all({}).body, "[]\n");
  EXPECT_EQ(encode_all({{":80", "1.2.3.4:80", "tcp"}}).body,
            "[{\"local\":\":80\",\"remote\":\"1.2.3.4:80\",\"protocol\":\"tcp\"}]\n");
}

TEST(answer_codec, reads_the_list_that_it_writes) {
  const std::vector<forward> all{{":80", "1.2.3.4:80", "tcp"}, {"[::1]:53", "1.2.3.4:53", "udp"}};
  EXPECT_EQ(parse_all(encode_all(all).body).value(), all);
}

TEST(answer_codec, an_element_that_is_not_a_forward_is_left_out) {
  const auto all = parse_all(R"([{}, null, 7, {"local":5,"protocol":"tcp"}, {"local":":1","protocol":"unix"}])");
  EXPECT_EQ(all.value(), (std::vector{forward{":1", "", "unix"}}));
}

TEST(answer_codec, a_body_that_is_not_a_list_is_an_error) {
  EXPECT_EQ(parse_all("{}").error().message(), "expected a JSON array of forwards");
  EXPECT_FALSE(parse_all(""));
  EXPECT_TRUE(parse_all("null\n").value().empty());
}

TEST(answer_codec, reads_the_failures_that_it_writes) {
  EXPECT_EQ(exposed(500, already_exposed({":80", "", "tcp"}) + "\n"), verdict::exists);
  EXPECT_EQ(already_exposed({":80", "", "tcp"}), "proxy already running for tcp on :80");
  EXPECT_EQ(unexposed(500, std::string(not_exposed) + "\n"), verdict::unknown);
}

TEST(answer_codec, tells_a_busy_port_from_other_failures) {
  EXPECT_EQ(exposed(500, "listen tcp 0.0.0.0:80: bind: address already in use\n"), verdict::busy);
  EXPECT_EQ(exposed(500, "listen tcp: bind: Only one usage of each socket address is permitted.\n"), verdict::busy);
  EXPECT_EQ(exposed(500, "listen tcp 0.0.0.0:80: bind: permission denied\n"), verdict::refused);
  EXPECT_EQ(exposed(200, ""), verdict::done);
  EXPECT_EQ(unexposed(200, ""), verdict::done);
  EXPECT_EQ(unexposed(500, "address already in use"), verdict::refused);
}

}  // namespace
}  // namespace forwarder_api
