#include "programs/guestagentctl/listing.hpp"

#include <gmock/gmock.h>

#include "protocols/status_document/document_codec.hpp"

namespace guestagentctl {
namespace {

using testing::HasSubstr;
using testing::Not;

const status_document::document document = status_document::decode(R"({
  "version": "0.1.0", "mode": "network-tunnel", "started": "2026-11-24T00:00:00Z",
  "sources": [{"name": "docker", "state": "degraded", "reason": "connect /var/run/docker.sock: No such file", "bindings": 2,
               "refusals": [{"owner": "c9", "what": "0/tcp", "why": "not a port"}]}],
  "peers": [{"name": "host-switch", "state": "synced", "applied": 1},
            {"name": "wsl-proxy", "state": "down", "reason": "no socket", "retry_in_ms": 1500, "applied": 0}],
  "ports": [
    {"protocol": "tcp", "address": "0.0.0.0", "port": 8080, "container_port": 80, "source": "docker", "owner": "c1", "name": "web",
     "decision": "exposed",
     "peers": [{"name": "host-switch", "state": "applied", "since": "2026-11-24T00:00:01Z"},
               {"name": "wsl-proxy", "state": "conflict", "reason": "address already in use", "retry_in_ms": 300}]},
    {"protocol": "tcp", "address": "127.0.0.1", "port": 80, "container_port": 80, "source": "docker",
     "owner": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "name": "",
     "decision": "restricted", "reason": "ports below 1024", "peers": []},
    {"protocol": "udp", "address": "0.0.0.0", "port": 53, "source": "docker", "decision": "leftover", "reason": "no longer published",
     "peers": [{"name": "host-switch", "state": "refused", "reason": "busy", "retry_in_ms": 1500}]}]})")
                                               .value();

TEST(listing, ports_show_each_peers_state_and_why_not) {
  const auto text = list_ports(document);
  EXPECT_THAT(text, testing::StartsWith(
                        "PROTOCOL  HOST          CONTAINER  SOURCE  OWNER         HOST-SWITCH  WSL-PROXY   SINCE"));
  EXPECT_THAT(text,
              testing::ContainsRegex("tcp +0.0.0.0:8080 +80 +docker +web +applied +conflict +2026-11-24T00:00:01Z "
                                     "+wsl-proxy: address already in use, retrying in 0.3 s\n"));
  EXPECT_THAT(text, testing::ContainsRegex(
                        "tcp +127.0.0.1:80 +80 +docker +0123456789ab +restricted +restricted +- +ports below 1024\n"));
  EXPECT_THAT(text, testing::ContainsRegex("udp +0.0.0.0:53 +- +docker +refused +- +- +no longer published; "
                                           "host-switch: busy, retrying in 1.5 s\n"));
}

TEST(listing, status_shows_sources_peers_and_refusals) {
  const auto text = list_status(document);
  EXPECT_THAT(text, HasSubstr("agent 0.1.0 in network-tunnel mode"));
  EXPECT_THAT(text, testing::ContainsRegex("docker +degraded +2 +connect"));
  EXPECT_THAT(text, testing::ContainsRegex("wsl-proxy +down +0 +no socket, retrying in 1.5 s"));
  EXPECT_THAT(text, testing::ContainsRegex("docker +c9 +0/tcp +not a port"));
}

TEST(listing, any_document_is_shown_without_harm) {
  for (const auto* text : {"{}", R"({"ports":[1,null,{}],"peers":[[]],"sources":"x"})"}) {
    const auto v = status_document::decode(text).value();
    EXPECT_THAT(list_ports(v), HasSubstr("PROTOCOL")) << text;
    EXPECT_THAT(list_status(v), Not(HasSubstr("REFUSED"))) << text;
  }
}

}  // namespace
}  // namespace guestagentctl
