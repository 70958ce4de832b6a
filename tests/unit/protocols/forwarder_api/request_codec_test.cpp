#include "protocols/forwarder_api/request_codec.hpp"

#include <gmock/gmock.h>

namespace forwarder_api {
namespace {

using testing::HasSubstr;

TEST(request_codec, reads_as_go_does) {
  const forward wanted{"0.0.0.0:80", "192.168.127.2:80", "udp"};
  EXPECT_EQ(parse_expose(R"({"local":"0.0.0.0:80","remote":"192.168.127.2:80","protocol":"udp"})").value(), wanted);
  EXPECT_EQ(parse_expose(R"({"LOCAL":"0.0.0.0:80","Remote":"192.168.127.2:80","pRoToCoL":"udp","more":[{}]} trailing)")
                .value(),
            wanted);
}

TEST(request_codec, absent_and_null_are_the_same) {
  EXPECT_EQ(parse_expose("{}").value(), (forward{"", "", "tcp"}));
  EXPECT_EQ(parse_expose(R"({"local":null,"protocol":""})").value(), (forward{"", "", "tcp"}));
  EXPECT_EQ(parse_expose("null").value(), (forward{"", "", "tcp"}));
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
  EXPECT_EQ(parse_unexpose(R"({"Local":":80","remote":5})").value(), (forward{":80", "", "tcp"}));
}

TEST(request_codec, reads_what_it_writes) {
  const forward f{"127.0.0.1:8080", "192.168.127.2:8080", "udp"};
  const auto expose = encode_expose(f), unexpose = encode_unexpose(f);
  EXPECT_EQ(expose.method, "POST");
  EXPECT_EQ(expose.target, "/services/forwarder/expose");
  EXPECT_EQ(expose.headers.at("Content-Type"), "application/json");
  EXPECT_EQ(parse_expose(expose.body).value(), f);
  EXPECT_EQ(unexpose.target, "/services/forwarder/unexpose");
  EXPECT_EQ(parse_unexpose(unexpose.body).value(), (forward{f.local, "", f.protocol}));
  EXPECT_EQ(unexpose.body, R"({"local":"127.0.0.1:8080","protocol":"udp"})");
}

}  // namespace
}  // namespace forwarder_api
