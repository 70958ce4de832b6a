#include "programs/vm_switch/dhcp_client.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <expected>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/backoff.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "os/child_program.hpp"

namespace vm_switch {
namespace {

constexpr const char* component = "dhcp";
constexpr base::backoff pauses{.first = std::chrono::milliseconds(200), .cap = std::chrono::seconds(10)};
constexpr std::chrono::seconds long_enough{30};  // a run of this length ends a series of failures

std::vector<std::string> command(const std::string& interface, const std::string& script) {
  std::vector<std::string> argv{"udhcpc", "-f", "-i", interface};
  if (!script.empty()) argv.insert(argv.end(), {"-s", script});
  return argv;
}

}  // namespace

dhcp_client::dhcp_client(const async::executor& where, const std::string& interface, const std::string& script,
                         std::function<bool()> has_link)
    : where_(where),
      argv_(command(interface, script)),
      trouble_(component, "udhcpc does not run"),
      has_link_(std::move(has_link)),
      next_(async::clock::now() + renew_interval),
      sooner_(where) {}

async::task<> dhcp_client::run() {
  std::mt19937 random(std::random_device{}());
  for (unsigned failures = 1;; ++failures) {
    began_ = async::clock::now();
    auto started = os::child_program::start(where_, {.argv = argv_});
    if (started) {
      running_.emplace(std::move(*started));
      if (!trouble_.active()) base::log::info(component, "udhcpc started pid={}", running_->pid());
      const int code = co_await running_->ended();
      running_.reset();
      trouble_.note(base::fail("it ended with " + std::to_string(code)));
    } else {
      trouble_.note(std::unexpected(started.error()));
    }
    if (async::clock::now() - began_ >= long_enough) failures = 1;
    co_await async::sleep_for(pauses.delay(failures, static_cast<std::uint32_t>(random())));
  }
}

async::task<> dhcp_client::renew_regularly() {
  while (true) {
    co_await sooner_.wait_until(next_);
    if (async::clock::now() < next_) continue;
    next_ = async::clock::now() + renew_interval;
    if (running_ && async::clock::now() - began_ >= long_enough) trouble_.note({});
    renew();
  }
}

void dhcp_client::renew_soon() {
  const auto now = async::clock::now();
  next_ = now + link_age;
  if (signal_) next_ = std::max(next_, *signal_ + least_distance);
  sooner_.notify_all();
}

// renew_soon() has derived the time from the age of the link.
void dhcp_client::renew() {
  if (!running_ || !has_link_()) return;
  signal_ = async::clock::now();
  running_->send_signal(SIGUSR1);
}

void dhcp_client::restart() {
  if (running_) running_->send_signal(SIGTERM);
}

}  // namespace vm_switch
