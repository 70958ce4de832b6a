#include "protocols/status_document/document_codec.hpp"

#include <gmock/gmock.h>

namespace status_document {
namespace {

document full() {
  document d{
      .version = "1.2.3", .mode = "network-tunnel", .started = "2026-11-24T00:00:00Z", .now = "2026-11-24T00:01:00Z"};
  d.sources = {{"docker", "degraded", "gone", 2, {{"c9", "9/sctp", "not forwarded"}}, {{"c3", "job"}}, 5},
               {"iptables", "waiting", "", 0, {}},
               {"listeners", "ok", "", 1, {{"listener", "0.0.0.0:53/udp", "left out", "ignored"}}}};
  d.peers = {{"host-switch", "synced", "", {}, 1}, {"wsl-proxy", "down", "no socket", 1500, 0}};
  d.ports = {
      {"tcp",
       "0.0.0.0",
       8080,
       8000,
       "10.0.0.2",
       80,
       "docker",
       "c1",
       "web \"2\"",
       "exposed",
       "",
       "line 3",
       {{"docker", "c1", "web \"2\"", "0.0.0.0", 80}, {"listeners", "", "", "::", 0}},
       {{"host-switch", "applied", "", "2026-11-24T00:00:01Z", {}}, {"wsl-proxy", "conflict", "in use", "", 300}}},
      {"tcp", "127.0.0.1", 80, {}, "", 0, "docker", "", "", "restricted", "ports below 1024", "", {}, {}},
      {"udp",
       "::",
       53,
       {},
       "",
       5353,
       "docker",
       "c2",
       "",
       "leftover",
       "no longer published",
       "",
       {},
       {{"loopback", "removing", "", "", {}}}},
      {"udp", "::", 54, {}, "", {}, "listeners", "", "", "leftover", "no longer published", "", {}, {}}};
  return d;
}

constexpr std::string_view full_text =
    R"({"version":"1.2.3","mode":"network-tunnel","started":"2026-11-24T00:00:00Z","now":"2026-11-24T00:01:00Z",)"
    R"("sources":[{"name":"docker","state":"degraded","reason":"gone","bindings":2,"refusals":[{"owner":"c9",)"
    R"("what":"9/sctp","why":"not forwarded"}],"without_ports":[{"owner":"c3","name":"job"}],)"
    R"("more_without_ports":5},{"name":"iptables","state":"waiting","bindings":0,"refusals":[]},)"
    R"({"name":"listeners","state":"ok","bindings":1,"refusals":[{"owner":"listener","what":"0.0.0.0:53/udp",)"
    R"("why":"left out","kind":"ignored"}]}],)"
    R"("peers":[{"name":"host-switch","state":"synced","applied":1},{"name":"wsl-proxy","state":"down",)"
    R"("reason":"no socket","retry_in_ms":1500,"applied":0}],"ports":[{"protocol":"tcp","address":"0.0.0.0",)"
    R"("port":8080,"guest_port":8000,"guest_address":"10.0.0.2","container_port":80,"source":"docker","owner":"c1","name":"web \"2\"",)"
    R"("decision":"exposed","rule":"line 3",)"
    R"("claims":[{"source":"docker","owner":"c1","name":"web \"2\"","address":"0.0.0.0","container_port":80},)"
    R"({"source":"listeners","owner":"","name":"","address":"::","container_port":0}],"peers":[{"name":"host-switch",)"
    R"("state":"applied","since":"2026-11-24T00:00:01Z"},{"name":"wsl-proxy","state":"conflict","reason":"in use",)"
    R"("retry_in_ms":300}]},{"protocol":"tcp","address":"127.0.0.1","port":80,"container_port":0,"source":"docker",)"
    R"("owner":"","name":"","decision":"restricted","reason":"ports below 1024","claims":[],"peers":[]},)"
    R"({"protocol":"udp","address":"::","port":53,"decision":"leftover","reason":"no longer published","claims":[],)"
    R"("source":"docker","container_port":5353,"owner":"c2","peers":[{"name":"loopback","state":"removing"}]},)"
    R"({"protocol":"udp","address":"::","port":54,"decision":"leftover","reason":"no longer published","claims":[],)"
    R"("source":"listeners","peers":[]}]})";

TEST(document_codec, writes_members_in_their_order) { EXPECT_EQ(encode(full()), full_text); }

TEST(document_codec, reads_what_it_wrote) {
  const auto read = decode(encode(full()));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, full());
  EXPECT_EQ(decode(encode({})), document());
}

TEST(document_codec, ignores_unknown_members_and_takes_wrong_types_as_absent) {
  const auto read = decode(R"({"version":1,"later":{},"sources":"x","peers":[[],null,{"name":"a","applied":-1}],
                              "ports":[1,{"port":65536,"container_port":"80","retry_in_ms":null,"peers":{}}]})");
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, (document{.peers = {{.name = "a"}}, .ports = {{}}}));
}

TEST(document_codec, refuses_text_that_is_not_an_object) {
  for (const auto* text : {"", "null", "[]", "\"x\"", "{", "{} {}"}) EXPECT_FALSE(decode(text)) << text;
  EXPECT_EQ(decode("[]").error().message(), "expected a JSON object");
}

TEST(document_codec, bounds_the_depth) {
  EXPECT_FALSE(decode(R"({"a":)" + std::string(40, '[') + std::string(40, ']') + "}"));
}

}  // namespace
}  // namespace status_document
