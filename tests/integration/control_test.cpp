// guestagentctl beside a real agent: what it explains, what it waits for, and the events that it prints.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/integration/end_to_end.hpp"

namespace integration {
namespace {

using testing::HasSubstr;

class control : public end_to_end {
 protected:
  // The answer has the text within the time that a source and a peer need.
  testing::AssertionResult explains(const std::string& what, const std::string& text) {
    std::string answer;
    const bool said = eventually(10s, [&] {
      answer = lab_->control({"explain", what}).text;
      return answer.contains(text);
    });
    return said ? testing::AssertionSuccess() : testing::AssertionFailure() << answer << "lacks: " << text;
  }
  int wait_for(const std::string& port, const std::string& limit) {
    return lab_->control({"ports", "-wait=" + port, "-timeout=" + limit}).exit_code;
  }
  // Runs beside the test, with its output in this file of the lab.
  support::child_process start(const std::string& log, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), support::program_directory() / "guestagentctl");
    arguments.push_back("-socket=" + (lab_->directory() / "status.sock").string());
    return support::child_process(
        {.argv = std::move(arguments), .log = lab_->directory() / log, .net_namespace = lab_->rd().path()});
  }
  [[nodiscard]] base::unique_fd occupy(const support::netns& where, protocol p, const char* at) const {
    return support::open_socket(where, p, *net::parse_endpoint(at), true);
  }
};

TEST_F(control, explains_ports_containers_and_servers) {
  lab_->docker().run("web", {"-p", "8080:80"});
  lab_->docker().run("job", {});
  const auto left_out = occupy(lab_->rd(), protocol::udp, "0.0.0.0:53");
  ASSERT_TRUE(left_out);
  EXPECT_TRUE(explains("8080", "tcp 0.0.0.0:8080 is open\n"));
  EXPECT_TRUE(explains("8080/tcp", "docker: web ("));
  EXPECT_TRUE(explains("8080/tcp", "applied since 2"));
  EXPECT_TRUE(explains("web", ") of docker publishes 1 port\n\ntcp 0.0.0.0:8080 is open\n"));
  EXPECT_TRUE(explains("job", ") of docker runs and publishes no port\n"));
  EXPECT_TRUE(explains("nosuch", "no running container, Service or rule is named nosuch\n"));
  EXPECT_TRUE(explains("53/udp", "0.0.0.0:53/udp is not published by the source listeners\n"));
  EXPECT_TRUE(explains("53/udp", "-ignore-listeners"));
  EXPECT_TRUE(explains("9999", "9999 is not published, and no server is seen that listens on it\n"));
}

TEST_F(control, an_engine_that_is_away_leaves_the_answer_open) {
  lab_->docker().stop();
  EXPECT_TRUE(explains("9999", "9999: not known, docker cannot be read now"));
  EXPECT_TRUE(explains("nosuch", "nosuch: not known, docker cannot be read now"));
}

TEST_F(control, waits_until_a_port_is_open) {
  auto waits = start("wait", {"ports", "-wait=8080/tcp", "-timeout=60s"});
  lab_->docker().run("web", {"-p", "8080:80"});
  EXPECT_EQ(waits.wait(20s), 0) << support::read_text(lab_->directory() / "wait");
  expect_answers("tcp 127.0.0.1:8080", "web");
  EXPECT_EQ(wait_for("9999", "200ms"), 3);
}

// docker-proxy and the peers have the port at once; the container's server listens later, or never.
TEST_F(control, waits_until_a_port_answers) {
  lab_->docker().run("web", {"-p", "8080:81"});
  EXPECT_TRUE(explains("8080", "tcp 0.0.0.0:8080 is open\n"));
  const auto mute = lab_->control({"ports", "-wait=8080/tcp", "-timeout=5s"});
  EXPECT_EQ(mute.exit_code, 3);
  EXPECT_THAT(mute.text, HasSubstr("is open, and does not answer"));
  auto waits = start("wait", {"ports", "-wait=8080/tcp", "-timeout=60s"});
  lab_->docker().docker({"exec", "-d", "web", "/echo-server", "tcp:81"});
  EXPECT_EQ(waits.wait(20s), 0) << support::read_text(lab_->directory() / "wait");
  expect_answers("tcp 127.0.0.1:8080", "web");
}

TEST_F(control, a_wait_that_cannot_reach_the_port_says_that_the_agent_is_in_another_network_namespace) {
  lab_->docker().run("web", {"-p", "8080:80"});
  EXPECT_TRUE(explains("8080", "tcp 0.0.0.0:8080 is open\n"));
  const support::netns elsewhere("elsewhere");
  const auto seen =
      support::run_command({.argv = {support::program_directory() / "guestagentctl", "ports", "-wait=8080",
                                     "-timeout=5s", "-socket=" + (lab_->directory() / "status.sock").string()},
                            .net_namespace = elsewhere.path()});
  EXPECT_EQ(seen.exit_code, 3);
  EXPECT_THAT(seen.text, HasSubstr("the agent is in another network namespace"));
}

TEST_F(control, waits_for_the_end_of_a_conflict) {
  auto busy = occupy(lab_->host(), protocol::tcp, "0.0.0.0:8081");
  ASSERT_TRUE(busy);
  lab_->docker().run("web", {"-p", "8081:80"});
  EXPECT_TRUE(explains("8081", "conflict"));
  EXPECT_EQ(wait_for("8081/tcp", "1s"), 4);
  busy.reset();
  EXPECT_EQ(wait_for("8081/tcp", "30s"), 0);
}

TEST_F(control, prints_each_change_once_across_a_restart_of_the_agent) {
  auto events = start("events", {"events", "-timeout=30s"});
  const auto printed = [&] { return support::read_text(lab_->directory() / "events"); };
  const auto prints = [&](const std::string& event, const std::string& port) {
    const auto begin = R"("event":")" + event + R"(","protocol":"tcp","address":"0.0.0.0","port":)" + port + ",";
    return eventually(10s, [&] { return printed().contains(begin); });
  };
  lab_->docker().run("web", {"-p", "8080:80"});
  EXPECT_TRUE(prints("exposed", "8080")) << printed();
  lab_->agent().kill9();
  ASSERT_NO_FATAL_FAILURE(start_agent_and_wait());
  auto busy = occupy(lab_->host(), protocol::tcp, "0.0.0.0:8081");
  ASSERT_TRUE(busy);
  lab_->docker().run("db", {"-p", "8081:80"});
  EXPECT_TRUE(prints("conflict", "8081")) << printed();
  busy.reset();
  EXPECT_TRUE(prints("resolved", "8081")) << printed();
  EXPECT_TRUE(prints("exposed", "8081")) << printed();
  lab_->docker().docker({"rm", "-f", "web"});
  EXPECT_TRUE(prints("withdrawn", "8080")) << printed();
  EXPECT_EQ(events.stop(), 0);
  const auto text = printed();
  std::size_t of_8080 = 0;
  for (auto at = text.find("\"port\":8080,"); at != std::string::npos; at = text.find("\"port\":8080,", at + 1))
    ++of_8080;
  EXPECT_EQ(of_8080, 2U) << "the port stayed open while the agent was away\n" << text;
}

}  // namespace
}  // namespace integration
