#include "programs/host_switch/request_codec.hpp"

#include <gmock/gmock.h>

namespace host_switch {
namespace {

using testing::HasSubstr;

TEST(request_codec, reads_as_go_does) {
  const forward_request wanted{"0.0.0.0:80", "192.168.127.2:80", "udp"};
  EXPECT_EQ(parse_expose(R"({"local":"0.0.0.0:80","remote":"192.168.127.2:80","protocol":"udp"})").value(), wanted);
  EXPECT_EQ(parse_expose(R"({"LOCAL":"0.0.0.0:80","Remote":"192.168.127.2:80","pRoToCoL":"udp","more":[{}]} trailing)")
                .value(),
            wanted);
}

TEST(request_codec, absent_and_null_are_the_same) {
  EXPECT_EQ(parse_expose("{}").value(), (forward_request{"", "", "tcp"}));
  EXPECT_EQ(parse_expose(R"({"local":null,"protocol":""})").value(), (forward_request{"", "", "tcp"}));
  EXPECT_EQ(parse_expose("null").value(), (forward_request{"", "", "tcp"}));
}

TEST(request_codec, bad_documents_have_a_reason) {
  EXPECT_EQ(parse_expose("").error().message(), "EOF");
  EXPECT_THAT(parse_expose("{").error().message(), HasSubstr("JSON"));
  EXPECT_EQ(parse_expose("[1]").error().message(),
            "json: cannot unmarshal array into Go value of type types.ExposeRequest");
  EXPECT_EQ(parse_expose(R"({"local":80})").error().message(),
            "json: cannot unmarshal number into Go struct field ExposeRequest.local of type string");
  EXPECT_EQ(
      parse_unexpose(R"({"protocol":{}})").error().message(),
      "json: cannot unmarshal object into Go struct field UnexposeRequest.protocol of type types.TransportProtocol");
}

TEST(request_codec, an_unexpose_has_no_remote) {
  EXPECT_EQ(parse_unexpose(R"({"Local":":80","remote":5})").value(), (forward_request{":80", "", "tcp"}));
}

TEST(request_codec, the_callers_address_completes_a_remote) {
  EXPECT_EQ(complete_remote(":80", "192.168.127.2").value(), "192.168.127.2:80");
  EXPECT_EQ(complete_remote("10.0.0.1:80", "192.168.127.2").value(), "10.0.0.1:80");
  EXPECT_EQ(complete_remote("10.0.0.1", "x").error().message(), "address 10.0.0.1: missing port in address");
  EXPECT_EQ(complete_remote("[::1]", "x").error().message(), "address [::1]: missing port in address");
  EXPECT_EQ(complete_remote("", "x").error().message(), "missing port in address");
}

TEST(request_codec, local_forms) {
  EXPECT_EQ(net::to_string(parse_local(":80").value()), "0.0.0.0:80");
  EXPECT_EQ(net::to_string(parse_local("[::1]:80").value()), "[::1]:80");
  for (const auto* bad :
       {"", "80", "localhost:80", "1.2.3.4:0", "1.2.3.4:99999", ":080", "1.2.3.4:00000080", "[::1]:0"})
    EXPECT_FALSE(parse_local(bad)) << bad;
}

TEST(request_codec, remote_forms) {
  EXPECT_EQ(net::to_string(parse_remote("192.168.127.2:80").value()), "192.168.127.2:80");
  for (const auto* bad : {"", ":80", "0.0.0.0:80", "[::1]:80", "1.2.3.4:0", "1.2.3.4:080", "name:80", "1.2.3.4"})
    EXPECT_FALSE(parse_remote(bad)) << bad;
}

TEST(request_codec, static_forwards) {
  EXPECT_EQ(parse_static_forward("127.0.0.1:2222=192.168.127.2:22").value(),
            (forward_request{"127.0.0.1:2222", "192.168.127.2:22", "tcp"}));
  for (const auto* bad : {"", "127.0.0.1:2222", "x=192.168.127.2:22", "127.0.0.1:2222=guest:22", "127.0.0.1:2222=:22"})
    EXPECT_FALSE(parse_static_forward(bad)) << bad;
}

TEST(request_codec, encodes_a_list) {
  EXPECT_EQ(encode_all({}), "[]\n");
  EXPECT_EQ(encode_all({{":80", "1.2.3.4:80", "tcp"}}),
            "[{\"local\":\":80\",\"remote\":\"1.2.3.4:80\",\"protocol\":\"tcp\"}]\n");
}

}  // namespace
}  // namespace host_switch
