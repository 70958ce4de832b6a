// Every situation in which a user asks, as a table: what the document says, the question, and what the answer has to
// say.
#include "programs/guestagentctl/explain.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace guestagentctl {
namespace {

using status_document::document;
using testing::HasSubstr;
using testing::Not;

const std::string web_id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

status_document::port port_of(std::string decision, std::vector<status_document::peer_port> peers,
                              std::string reason = {}) {
  return {.protocol = "tcp",
          .address = "0.0.0.0",
          .number = 8080,
          .container_port = 80,
          .source = "docker",
          .owner = web_id,
          .name = "web",
          .decision = std::move(decision),
          .reason = std::move(reason),
          .claims = {{"docker", web_id, "web", "0.0.0.0", 80}},
          .peers = std::move(peers)};
}

document with(std::vector<status_document::port> ports) {
  return {.sources = {{.name = "docker", .state = "ok"}, {.name = "listeners", .state = "ok"}},
          .ports = std::move(ports)};
}

std::string answer(const document& shown, std::string_view text) {
  const auto asked = parse_question(text);
  return asked ? explain(shown, *asked) : "error: " + asked.error().message();
}

struct situation {
  const char* name;
  status_document::port port;
  std::vector<std::string> says;
};
void PrintTo(const situation& s, std::ostream* to) { *to << s.name; }

status_document::port at_host(std::string state, std::string reason = {}) {
  return port_of("exposed", {{"host-switch", std::move(state), std::move(reason), "", 300}});
}

status_document::port left_behind(std::string state) {
  auto p = port_of("leftover", {{"host-switch", std::move(state), "", "", {}}});
  p.claims.clear();
  return p;
}

class every_state : public testing::TestWithParam<situation> {};

TEST_P(every_state, has_its_claim_its_reason_and_what_would_have_to_change) {
  const auto text = answer(with({GetParam().port}), "8080");
  for (const auto& part : GetParam().says) EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, HasSubstr("to change"));
  EXPECT_THAT(text, HasSubstr("docker: web"));
  EXPECT_EQ(answer(with({GetParam().port}), "8080/tcp"), text);
  EXPECT_THAT(answer(with({GetParam().port}), "8080/udp"), HasSubstr("8080/udp is not published"));
}

INSTANTIATE_TEST_SUITE_P(
    states, every_state,
    testing::Values(
        situation{"applied",
                  port_of("exposed", {{"host-switch", "applied", "", "2026-11-24T00:00:01Z", {}}}),
                  {"tcp 0.0.0.0:8080 is open\n", "applied since 2026-11-24T00:00:01Z", "nothing: it is open",
                   "docker: web (0123456789ab), on 0.0.0.0, its port 80", "no port rule"}},
        situation{
            "delivered", port_of("exposed", {{"wsl-proxy", "applied", "", "", {}}}), {"is open\n", "sends no answers"}},
        situation{"foreign",
                  at_host("foreign", "the peer had this forward already"),
                  {"is open\n", "the peer had this forward already", "another program opened exactly this port"}},
        situation{"pending",
                  at_host("pending", "another address of the port"),
                  {"is not open\n", "pending: another address of the port", "wait a second"}},
        situation{
            "conflict",
            at_host("conflict", "address already in use"),
            {"is not open\n", "conflict: address already in use, retrying in 0.3 s", "host-switch: free the port"}},
        situation{"retrying",
                  at_host("retrying", "timed out"),
                  {"is not open\n", "retrying: timed out", "the agent retries"}},
        situation{"refused",
                  at_host("refused", "no rights"),
                  {"is not open\n", "refused: no rights", "remove the cause that the peer names"}},
        situation{"down",
                  at_host("down", "connection refused"),
                  {"is not open\n", "down: connection refused", "start the peer, or correct its address"}},
        situation{
            "one_of_two",
            port_of("exposed", {{"host-switch", "applied", "", "", {}}, {"wsl-proxy", "down", "no socket", "", {}}}),
            {"is open at some peers only", "wsl-proxy: start the peer"}},
        situation{"restricted",
                  port_of("restricted", {}, "ports below 1024"),
                  {"is not opened: it is restricted", "ports below 1024", "publish a port from 1024 on"}},
        situation{"unsupported",
                  port_of("unsupported", {}, "another number"),
                  {"is not opened: it is unsupported", "another number", "the number that it has inside the VM"}},
        situation{"shadowed",
                  port_of("shadowed", {}, "leads to 127.0.0.2 of db"),
                  {"is not opened: it is shadowed", "leads to 127.0.0.2 of db", "another port of the host"}},
        situation{"covered",
                  port_of("covered", {}, "answered by tcp 0.0.0.0:8080"),
                  {"is not opened: it is covered", "answered by tcp 0.0.0.0:8080", "the wildcard of the same port"}},
        situation{"ignored",
                  port_of("ignored", {}, "a rule leaves it out"),
                  {"is not opened: it is ignored", "a rule leaves it out", "change the port rule"}},
        situation{"removing",
                  left_behind("removing"),
                  {"is no longer published", "was claimed by", "removing", "about to be closed"}},
        situation{"leftover",
                  left_behind("leftover"),
                  {"is no longer published", "was claimed by", "start the engine that published it"}}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(explain, what_is_left_over_has_the_agents_words_and_no_rule_that_decided) {
  auto p = left_behind("removing");
  p.reason = "no longer wanted there, and may still be open";
  const auto text = answer(with({p}), "8080");
  EXPECT_THAT(text, HasSubstr("is no longer wanted there, and may still be open\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("decided by")));
  EXPECT_THAT(text, testing::Not(HasSubstr("reason ")));
}

TEST(explain, names_the_rule_and_the_port_inside_the_vm) {
  auto p = port_of("ignored", {}, "by a rule");
  p.rule = "rule 3 (line 12): why";
  p.guest_port = 81;
  for (const auto* asked : {"8080", "81/tcp"}) {
    const auto text = answer(with({p}), asked);
    EXPECT_THAT(text, HasSubstr("rule 3 (line 12): why"));
    EXPECT_THAT(text, HasSubstr("port 81"));
  }
}

TEST(explain, sctp_is_to_be_published_over_another_protocol) {
  auto p = port_of("unsupported", {}, "SCTP is not forwarded");
  p.protocol = "sctp";
  EXPECT_THAT(answer(with({p}), "8080/sctp"), HasSubstr("over TCP or UDP"));
}

struct excluded {
  const char* kind;
  const char* advice;
};
void PrintTo(const excluded& e, std::ostream* to) { *to << e.kind; }

class every_excluded_socket : public testing::TestWithParam<excluded> {
 protected:
  document shown(std::string what) {
    auto d = with({});
    d.sources.back().refusals = {{"listener", std::move(what), "the reason", GetParam().kind}};
    return d;
  }
};

TEST_P(every_excluded_socket, is_named_with_its_reason_and_what_would_have_to_change) {
  const auto text = answer(shown("0.0.0.0:53/udp"), "53");
  EXPECT_THAT(text, HasSubstr("0.0.0.0:53/udp is not published by the source listeners"));
  EXPECT_THAT(text, HasSubstr("the reason"));
  EXPECT_THAT(text, HasSubstr(GetParam().advice));
  EXPECT_EQ(answer(shown("0.0.0.0:53/udp"), "53/udp"), text);
  EXPECT_THAT(answer(shown("0.0.0.0:53/udp"), "53/tcp"), HasSubstr("53/tcp is not published"));
}

// Sockets that are counted may be the one that is asked for.
TEST_P(every_excluded_socket, is_a_possibility_where_it_is_only_counted) {
  const auto text = answer(shown("7 more sockets"), "53/udp");
  EXPECT_THAT(text, HasSubstr("53/udp is not published"));
  EXPECT_THAT(text, HasSubstr("not named here: 7 more sockets: the reason"));
}

INSTANTIATE_TEST_SUITE_P(
    kinds, every_excluded_socket,
    testing::Values(excluded{"ignored", "-ignore-listeners"}, excluded{"multicast", "multicast"},
                    excluded{"client-port", "net.ipv4.ip_local_port_range"}, excluded{"device", "SO_BINDTODEVICE"},
                    excluded{"momentary", "within a second"}, excluded{"agent", "the agent itself"},
                    excluded{"engine", "the engine's own source"}, excluded{"starting", "within half a minute"},
                    excluded{"reserver", "the container's own source"}, excluded{"kernel", "the kernel's own ports"},
                    excluded{"unknown-owner", "CAP_SYS_PTRACE"}));

TEST(explain, a_port_that_an_engines_source_refuses) {
  auto d = with({});
  d.sources.front().refusals = {{"web", "9000/udp", "not a host address", ""}};
  EXPECT_THAT(answer(d, "9000"), HasSubstr("9000/udp of web is not published by the source docker"));
  EXPECT_THAT(answer(d, "web"), HasSubstr("9000/udp of web is not published by the source docker"));
}

TEST(explain, a_port_that_nothing_claims) {
  const auto text = answer(with({port_of("exposed", {})}), "80/tcp");
  EXPECT_THAT(text, HasSubstr("80/tcp is not published, and no server is seen that listens on it\n"));
  EXPECT_THAT(text, HasSubstr("tcp 0.0.0.0:8080, which leads to port 80 of web"));
  EXPECT_THAT(text, Not(HasSubstr("not known")));
  document without_listeners{.sources = {{.name = "docker", .state = "ok"}}};
  EXPECT_THAT(answer(without_listeners, "80"), HasSubstr("servers that listen without an engine are not looked for"));
}

// "I do not know" is not "nothing".
TEST(explain, what_a_source_would_say_that_cannot_be_read_is_not_known) {
  auto d = with({});
  d.sources.front().state = "degraded";
  d.sources.front().reason = "no such socket";
  for (const auto* asked : {"80", "web"}) {
    const auto text = answer(d, asked);
    EXPECT_THAT(text, HasSubstr(std::string(asked) + ": not known, docker cannot be read now"));
    EXPECT_THAT(text, HasSubstr("no such socket"));
    EXPECT_THAT(text, Not(HasSubstr("is not published, and no server")));
    EXPECT_THAT(text, Not(HasSubstr("no running container")));
  }
  d.sources.front().state = "waiting";
  EXPECT_THAT(answer(d, "80"), HasSubstr("has not reported yet"));
}

TEST(explain, what_a_degraded_source_said_last_is_shown_with_the_doubt) {
  auto d = with({port_of("exposed", {{"host-switch", "applied", "", "", {}}})});
  d.sources.front().state = "degraded";
  for (const auto* asked : {"8080", "web"}) {
    const auto text = answer(d, asked);
    EXPECT_THAT(text, HasSubstr("tcp 0.0.0.0:8080 is open\n"));
    EXPECT_THAT(text, HasSubstr("docker cannot be read now: there may be more"));
  }
}

TEST(explain, a_container_by_its_name_its_id_and_the_beginning_of_its_id) {
  const auto d = with({port_of("exposed", {{"host-switch", "applied", "", "", {}}})});
  const auto text = answer(d, "web");
  EXPECT_THAT(text, testing::StartsWith("web (0123456789ab) of docker publishes 1 port\n\ntcp 0.0.0.0:8080 is open\n"));
  for (const auto& asked : {web_id, web_id.substr(0, 12), std::string("0123456789")}) EXPECT_EQ(answer(d, asked), text);
}

TEST(explain, a_containers_range_of_ports_is_one_block) {
  std::vector<status_document::port> ports;
  for (std::uint16_t i = 0; i < 3; ++i) {
    auto p = port_of("exposed", {{"host-switch", "applied", "", "", {}}});
    p.number = static_cast<std::uint16_t>(9000 + i);
    p.container_port = static_cast<std::uint16_t>(80 + i);
    p.claims.front().container_port = static_cast<std::uint16_t>(80 + i);
    ports.push_back(p);
  }
  EXPECT_THAT(answer(with(ports), "web"), HasSubstr("tcp 0.0.0.0:9000-9002 is open\n"));
  EXPECT_THAT(answer(with(ports), "web"), HasSubstr("its port 80-82"));
  EXPECT_THAT(answer(with(ports), "9001"), HasSubstr("tcp 0.0.0.0:9001 is open\n"));
}

TEST(explain, a_container_without_ports_runs_and_a_name_that_does_not_exist_does_not) {
  auto d = with({});
  d.sources.front().without_ports = {{web_id, "job"}};
  EXPECT_THAT(answer(d, "job"), HasSubstr("job (0123456789ab) of docker runs and publishes no port"));
  EXPECT_THAT(answer(d, "0123"), HasSubstr("job (0123456789ab) of docker runs and publishes no port"));
  const auto text = answer(d, "jobs");
  EXPECT_THAT(text, HasSubstr("no running container, Service or rule is named jobs\n"));
  EXPECT_THAT(text, HasSubstr("to change"));
  d.sources.front().more_without_ports = 12;
  EXPECT_THAT(answer(d, "jobs"), HasSubstr("12 more containers publish no port and are not named here"));
}

TEST(explain, a_container_whose_engine_does_not_answer_is_a_possibility) {
  auto d = with({});
  d.sources.front().refusals = {{web_id, "container", "the engine does not report its state", ""}};
  EXPECT_THAT(answer(d, "web"), HasSubstr("not named here: container 0123456789ab: the engine does not report"));
  EXPECT_THAT(answer(d, "012345"), HasSubstr("container of 0123456789ab is not published by the source docker"));
}

TEST(explain, the_beginning_of_several_ids_is_a_choice) {
  auto d = with({});
  d.sources.front().without_ports = {{"abc1", "one"}, {"abc2", "two"}};
  const auto text = answer(d, "abc");
  EXPECT_THAT(text, HasSubstr("abc is the beginning of 2 ids"));
  EXPECT_THAT(text, HasSubstr("abc2 two"));
  EXPECT_THAT(answer(d, "abc2"), HasSubstr("two (abc2) of docker runs"));
}

TEST(explain, a_service_by_the_last_part_of_its_name) {
  auto p = port_of("exposed", {{"host-switch", "applied", "", "", {}}});
  p.claims = {{"kubernetes", "uid", "default/shop", "0.0.0.0", 80}};
  EXPECT_THAT(answer(with({p}), "shop"), HasSubstr("default/shop (uid) of kubernetes publishes 1 port"));
}

// A container of containerd whose ports only the rules of CNI show.
TEST(explain, a_container_has_the_ports_that_a_rule_publishes_for_it) {
  auto p = port_of("exposed", {{"host-switch", "applied", "", "", {}}});
  p.claims = {{"iptables", "CNI-DN-1", "default-" + web_id, "0.0.0.0", 80}};
  auto d = with({p});
  d.sources.front().name = "containerd";
  d.sources.front().without_ports = {{"default/" + web_id, "shop"}};
  EXPECT_THAT(answer(d, "shop"), HasSubstr("shop (default/0123456789ab) of containerd publishes 1 port\n"));
}

TEST(explain, a_question_is_a_port_or_a_name) {
  EXPECT_EQ(parse_question("53/udp")->port, 53);
  EXPECT_EQ(parse_question("53/udp")->protocol, "udp");
  EXPECT_EQ(parse_question("53")->protocol, "");
  EXPECT_EQ(parse_question("web")->name, "web");
  EXPECT_EQ(parse_question("default/web")->name, "default/web");
  EXPECT_EQ(parse_question("012345678901")->name, "012345678901") << "an id may have digits alone";
  for (const auto* wrong : {"", "0", "70000", "53/icmp", "70000/tcp", "53/"})
    EXPECT_FALSE(parse_question(wrong)) << wrong;
}

TEST(explain, any_document_is_answered_without_harm) {
  EXPECT_THAT(answer({}, "80"), HasSubstr("80 is not published"));
  EXPECT_THAT(answer({}, "x\x1b[31m"), HasSubstr("x\\x1b[31m"));
  EXPECT_THAT(answer({.sources = {{}}, .ports = {{}}}, "80"), HasSubstr("not known"));
}

}  // namespace
}  // namespace guestagentctl
