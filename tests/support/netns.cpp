#include "tests/support/netns.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "base/unique_fd.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/unique_name.hpp"

namespace support {
namespace {

void remove_leftovers() {
  std::error_code none_there;
  for (const auto& entry : std::filesystem::directory_iterator("/run/netns", none_there))
    if (const auto name = entry.path().filename().string(); is_leftover(name))
      run_command({.argv = {"ip", "netns", "del", name}});
}

base::unique_fd open_namespace(const std::string& path) {
  return base::unique_fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

void enter(const std::string& path) {
  const auto fd = open_namespace(path);
  if (!fd || ::setns(fd.get(), CLONE_NEWNET) != 0) throw std::runtime_error("cannot enter " + path);
}

// The calling thread alone: the system calls act on one thread, glibc's functions change all threads.
void become(uid_t user) {
  if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, user, user, user) != 0 ||
      ::syscall(SYS_setresuid, user, user, user) != 0)
    throw std::runtime_error("cannot become user " + std::to_string(user));
}

}  // namespace

netns::netns(std::string_view purpose) : name_(unique_name(purpose)) {
  static const bool clean = (remove_leftovers(), true);
  static_cast<void>(clean);
  run_or_throw({.argv = {"ip", "netns", "add", name_}});
  ip({"link", "set", "lo", "up"});
}

netns::~netns() { run_command({.argv = {"ip", "netns", "del", name_}}); }

void netns::ip(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"ip", "-n", name_});
  run_or_throw({.argv = std::move(arguments)});
}

void netns::run_inside(const std::function<void()>& work, uid_t user) const {
  std::exception_ptr trouble;
  std::jthread([&] {
    try {
      enter(path());
      if (user != 0) become(user);
      work();
    } catch (...) {
      trouble = std::current_exception();
    }
  }).join();
  if (trouble) std::rethrow_exception(trouble);
}

inside::inside(const netns& where) : before_(open_namespace("/proc/thread-self/ns/net")) {
  if (!before_) throw std::runtime_error("no way back from " + where.path());
  enter(where.path());
}

inside::~inside() { ::setns(before_.get(), CLONE_NEWNET); }

void connect(const veth_end& a, const veth_end& b) {
  a.where->ip({"link", "add", a.interface, "type", "veth", "peer", "name", b.interface, "netns", b.where->name()});
  for (const auto* end : {&a, &b}) {
    end->where->ip({"address", "add", end->cidr, "dev", end->interface});
    end->where->ip({"link", "set", end->interface, "up"});
  }
}

}  // namespace support
