#include "tests/support/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "base/unique_fd.hpp"
#include "tests/support/eventually.hpp"

namespace support {
namespace {

constexpr const char* own_pid_namespace = "/proc/self/ns/pid";

base::unique_fd open_or_throw(const std::string& path, int flags) {
  base::unique_fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd) throw std::runtime_error("cannot open " + path);
  return fd;
}

base::unique_fd open_namespace(const std::string& path) {
  return path.empty() ? base::unique_fd() : open_or_throw(path, O_RDONLY);
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (auto& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> whole_environment(const std::vector<std::string>& more) {
  std::vector<std::string> all = more;
  for (char** one = ::environ; *one != nullptr; ++one) {
    const std::string text = *one;
    const auto name = text.substr(0, text.find('=') + 1);
    if (std::ranges::none_of(more, [&](const auto& m) { return m.starts_with(name); })) all.push_back(text);
  }
  return all;
}

// Everything the child needs is prepared before the fork: after it only system calls are safe.
struct prepared {
  std::vector<std::string> argv_text, environment_text;
  std::vector<char*> argv, environment;
  base::unique_fd net, mount, input, output;
  uid_t user = 0;
  std::optional<unit_rights> rights;
  pid_t parent = ::getpid();
};

bool drop_rights(uid_t user) {
  return user == 0 ||
         (::setgroups(0, nullptr) == 0 && ::setresgid(user, user, user) == 0 && ::setresuid(user, user, user) == 0);
}

// The parent-death signal comes last: a change of user clears it.
[[noreturn]] void become(prepared& p) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const bool ready = (!p.net || ::setns(p.net.get(), CLONE_NEWNET) == 0) &&
                     (!p.mount || ::setns(p.mount.get(), CLONE_NEWNS) == 0) && ::dup2(p.input.get(), 0) == 0 &&
                     ::dup2(p.output.get(), 1) == 1 && ::dup2(p.output.get(), 2) == 2 && drop_rights(p.user) &&
                     (!p.rights || p.rights->apply()) && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
  if (ready) ::execvpe(p.argv[0], p.argv.data(), p.environment.data());
  ::_exit(127);
}

// A child lands in the pid namespace that its parent names for its children.
pid_t fork_in(const std::string& pid_namespace) {
  const auto there = open_namespace(pid_namespace);
  const auto back = open_namespace(pid_namespace.empty() ? "" : own_pid_namespace);
  if (there && ::setns(there.get(), CLONE_NEWPID) != 0) throw std::runtime_error("cannot enter " + pid_namespace);
  const auto pid = ::fork();
  if (pid != 0 && back && ::setns(back.get(), CLONE_NEWPID) != 0) std::abort();
  return pid;
}

int to_exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

}  // namespace

child_process::child_process(const child_options& options) {
  prepared p;
  p.argv_text = options.argv;
  p.environment_text = whole_environment(options.environment);
  p.argv = pointers_to(p.argv_text);
  p.environment = pointers_to(p.environment_text);
  p.net = open_namespace(options.net_namespace);
  p.mount = open_namespace(options.mount_namespace);
  p.input = open_or_throw(options.stdin_file.empty() ? "/dev/null" : options.stdin_file.string(), O_RDONLY);
  p.output = open_or_throw(options.log.empty() ? "/dev/null" : options.log.string(), O_WRONLY | O_CREAT | O_APPEND);
  p.user = options.user;
  p.rights = options.rights;
  pid_ = fork_in(options.pid_namespace);
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) become(p);
}

child_process::child_process(child_process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), exit_code_(other.exit_code_) {}

child_process& child_process::operator=(child_process&& other) noexcept {
  if (this == &other) return *this;
  kill9();
  pid_ = std::exchange(other.pid_, -1);
  exit_code_ = other.exit_code_;
  return *this;
}

bool child_process::reap(int flags) {
  int status = 0;
  if (pid_ < 0) return true;
  if (::waitpid(pid_, &status, flags) != pid_) return false;
  exit_code_ = to_exit_code(status);
  pid_ = -1;
  return true;
}

bool child_process::running() { return !reap(WNOHANG); }

void child_process::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

void child_process::kill9() {
  signal(SIGKILL);
  reap(0);
}

std::optional<int> child_process::wait(std::chrono::milliseconds limit) {
  return eventually(limit, [this] { return reap(WNOHANG); }) ? exit_code_ : std::nullopt;
}

std::optional<int> child_process::stop(std::chrono::milliseconds limit) {
  signal(SIGTERM);
  const auto code = wait(limit);
  if (!code) kill9();
  return code;
}

command_output run_command(child_options options, std::chrono::milliseconds limit) {
  const base::unique_fd output(::memfd_create("output", MFD_CLOEXEC));
  options.log = fmt::format("/proc/{}/fd/{}", ::getpid(), output.get());
  child_process child(options);
  const auto code = child.wait(limit);
  return {code.value_or(-1), read_text(options.log)};
}

std::string run_or_throw(child_options options, std::chrono::milliseconds limit) {
  const auto name = fmt::format("{}", fmt::join(options.argv, " "));
  auto output = run_command(std::move(options), limit);
  if (output.exit_code != 0)
    throw std::runtime_error(fmt::format("{}: exit {}: {}", name, output.exit_code, output.text));
  return output.text;
}

std::string read_text(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace support
