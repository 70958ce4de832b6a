// The program against an agent that answers with bytes of the test's choice.
#include "programs/guestagentctl/commands.hpp"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <iterator>
#include <string>
#include <thread>

#include "base/unique_fd.hpp"
#include "os/claimed_unix_path.hpp"
#include "tests/support/temp_dir.hpp"

namespace guestagentctl {
namespace {

using testing::HasSubstr;

struct outcome {
  int exit_code = 0;
  std::string out, err;
};

// Answers one request with `body`, which ends with the connection.
void answer_once(int listener, const std::string& body) {
  pollfd ready{listener, POLLIN, 0};
  if (::poll(&ready, 1, 10'000) != 1) return;
  const base::unique_fd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  std::string head(4096, '\0');
  if (::recv(client.get(), head.data(), head.size(), 0) <= 0) return;
  const auto answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body;
  ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
}

outcome watch(const std::string& body) {
  const support::temp_dir directory;
  const auto socket = (directory / "agent.sock").string();
  const auto listener = os::claimed_unix_path::claim(socket);
  if (!listener) return {-1, "", listener.error().message()};
  const std::jthread agent([&] { answer_once(listener->fd(), body); });
  const auto flag = "-socket=" + socket;
  const char* const argv[] = {"guestagentctl", flag.c_str(), "-watch", "-json", "ports"};
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run(static_cast<int>(std::size(argv)), argv);
  auto out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

TEST(commands, watching_prints_each_document_until_the_agent_stops) {
  const auto seen = watch("{\"ports\":[1]}\n{\"ports\":\n[2]}");
  EXPECT_EQ(seen.out, "[1]\n[2]\n");
  EXPECT_NE(seen.exit_code, 0);
  EXPECT_THAT(seen.err, HasSubstr("the agent has stopped"));
}

TEST(commands, watching_ends_at_bytes_that_are_no_document) {
  const auto seen = watch("{\"ports\":[1]}\nnot JSON\n");
  EXPECT_EQ(seen.out, "[1]\n");
  EXPECT_NE(seen.exit_code, 0);
  EXPECT_THAT(seen.err, HasSubstr("expected a JSON object"));
}

// A document without end is not collected for ever: it ends at the same bounds as every other one.
TEST(commands, watching_ends_at_a_document_beyond_the_bounds) {
  const auto seen = watch("{\"ports\":" + std::string(33, '['));
  EXPECT_NE(seen.exit_code, 0);
  EXPECT_THAT(seen.err, HasSubstr("nested deeper than 32"));
}

}  // namespace
}  // namespace guestagentctl
