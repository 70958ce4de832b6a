// Which process is the engine's, seen from pid namespaces in which it is not a plain process.
#include "sources/host_sockets/engine_watch.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "tests/support/temp_dir.hpp"
#include "tests/unit/sources/host_sockets/engine_socket.hpp"

namespace host_sockets {
namespace {

constexpr int not_possible = 77;

// The exit status of `body`, which runs as process 1 of a pid namespace with a /proc of its own.
int as_process_1(const std::function<int()>& body) {
  const auto outer = ::fork();
  if (outer == 0) {
    if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) ::_exit(not_possible);
    const auto inner = ::fork();
    if (inner == 0) {
      const bool own = ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       ::mount("proc", "/proc", "proc", 0, nullptr) == 0;
      ::_exit(own ? body() : not_possible);
    }
    int status = 0;
    ::waitpid(inner, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  int status = 0;
  ::waitpid(outer, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

class engine_watch_test : public testing::Test {
 protected:
  // 1: process 1 is the server, 2: it is not known which one is, 3: there is none.
  int scan() {
    process_table processes;
    if (!processes.refresh()) return 4;
    engine_watch engine({.socket = socket_, .programs = {"some-engine"}});
    engine.identify(processes, {});
    if (engine.trouble()) return 2;
    return engine.server_pid() == 1 ? 1 : 3;
  }
  int serve_and_look(const char* name) {
    ::prctl(PR_SET_NAME, name);
    serve(socket_);
    return scan();
  }

  support::temp_dir directory_;
  std::filesystem::path socket_ = directory_ / "engine.sock";
};

TEST_F(engine_watch_test, an_engine_that_is_process1_is_the_server) {
  const int found = as_process_1([this] { return serve_and_look("some-engine"); });
  if (found == not_possible) GTEST_SKIP() << "needs root";
  EXPECT_EQ(found, 1);
}

TEST_F(engine_watch_test, an_init_system_that_listens_in_its_place_is_not) {
  for (const auto* name : {"systemd", "init"}) {
    std::filesystem::remove(socket_);
    const int found = as_process_1([this, name] { return serve_and_look(name); });
    if (found == not_possible) GTEST_SKIP() << "needs root";
    EXPECT_EQ(found, 3) << name;
  }
}

TEST_F(engine_watch_test, a_server_that_the_pid_namespace_does_not_show_is_unknown_and_not_none) {
  serve(socket_);
  const int found = as_process_1([this] { return scan(); });
  if (found == not_possible) GTEST_SKIP() << "needs root";
  EXPECT_EQ(found, 2);
}

TEST_F(engine_watch_test, no_socket_is_no_server) { EXPECT_EQ(scan(), 3); }

}  // namespace
}  // namespace host_sockets
