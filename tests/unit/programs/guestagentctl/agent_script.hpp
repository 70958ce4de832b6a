// agent_script: an agent that answers with bytes of the test's choice, and the program beside it.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "os/claimed_unix_path.hpp"
#include "programs/guestagentctl/commands.hpp"
#include "tests/support/temp_dir.hpp"

namespace guestagentctl {

// What the last connection does after its body.
enum class and_then : std::uint8_t { closes, stays };

// Answers so many connections, one body each, and has gone then.
class agent_script {
 public:
  explicit agent_script(std::vector<std::string> bodies, and_then last = and_then::closes)
      : listener_(claim(socket())), thread_([this, bodies = std::move(bodies), last](const std::stop_token& stopped) {
          for (const auto& body : bodies) answer(stopped, body, &body == &bodies.back() ? last : and_then::closes);
          if (last == and_then::stays) await(stopped, listener_->fd());
          if (last == and_then::stays && !stopped.stop_requested()) ++connections_;
          listener_.reset();
        }) {}

  [[nodiscard]] std::string socket() const { return (directory_ / "agent.sock").string(); }
  [[nodiscard]] unsigned connections() const { return connections_; }
  [[nodiscard]] unsigned sent() const { return sent_; }  // bodies

 private:
  static os::claimed_unix_path claim(const std::string& path) {
    auto claimed = os::claimed_unix_path::claim(path);
    if (!claimed) throw std::runtime_error(claimed.error().message());
    return std::move(*claimed);
  }
  static void await(const std::stop_token& stopped, int fd) {
    pollfd ready{fd, POLLIN, 0};
    while (!stopped.stop_requested() && ::poll(&ready, 1, 20) <= 0) {
    }
  }
  void answer(const std::stop_token& stopped, const std::string& body, and_then next) {
    await(stopped, listener_->fd());
    if (stopped.stop_requested()) return;
    const base::unique_fd client(::accept4(listener_->fd(), nullptr, nullptr, SOCK_CLOEXEC));
    ++connections_;
    std::string head(4096, '\0');
    if (::recv(client.get(), head.data(), head.size(), 0) <= 0) return;
    const auto text = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body;
    ::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
    ++sent_;
    if (next == and_then::stays) await(stopped, client.get());
  }

  const support::temp_dir directory_;
  std::optional<os::claimed_unix_path> listener_;  // the thread's
  std::atomic<unsigned> connections_ = 0, sent_ = 0;
  std::jthread thread_;
};

struct outcome {
  int exit_code = 0;
  std::string out, err;
};

// Runs the program with this command line.
inline outcome run_program(const agent_script& agent, std::vector<std::string> words) {
  words.insert(words.begin(), {"guestagentctl", "-socket=" + agent.socket()});
  std::vector<const char*> argv;
  for (const auto& word : words) argv.push_back(word.c_str());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run(static_cast<int>(argv.size()), argv.data());
  auto out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

}  // namespace guestagentctl
