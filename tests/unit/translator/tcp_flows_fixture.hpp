// tcp_flows_test: a data plane for TCP; tcp_connection_test: with one connection from the VM to a server of the host.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstddef>
#include <optional>
#include <string>

#include "tests/unit/translator/plane_fixture.hpp"

namespace translator {

inline std::string letters(std::size_t size) {
  std::string made(size, ' ');
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return made;
}
inline bytes as_bytes(const std::string& s) { return {s.begin(), s.end()}; }

inline void set(const base::unique_fd& fd, int option, int value) {
  ASSERT_EQ(::setsockopt(fd.get(), SOL_SOCKET, option, &value, sizeof value), 0);
}
inline void reset(base::unique_fd fd) {
  const linger now{1, 0};
  ASSERT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
}

class tcp_flows_test : public plane_fixture {
 protected:
  tcp_flows_test() { start(); }
};

class tcp_connection_test : public tcp_flows_test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(c_.connect());
    host_ = accept_from(server_);
  }

  std::optional<scripted_vm> machine_ = join();
  const base::unique_fd server_ = tcp_server();
  vm_connection c_{*machine_, 40'000, by_alias(server_)};
  base::unique_fd host_;
};

}  // namespace translator
