// virtual_network_fixture: the virtual network of host-switch with one VM on an inherited descriptor, and the forwarder
// API that it serves. Nothing of it listens on the host.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>

#include "programs/host_switch/access_policy.hpp"
#include "programs/host_switch/forwarder.hpp"
#include "programs/host_switch/virtual_network.hpp"
#include "tests/support/event_loop.hpp"
#include "tests/support/socket_peer.hpp"
#include "tests/unit/programs/host_switch/frames_of_vm.hpp"

namespace host_switch {

class virtual_network_fixture : public testing::Test {
 protected:
  static constexpr auto vm_ip = net::address::v4(192, 168, 127, 2);

  void SetUp() override { start({}); }
  void TearDown() override { stop(); }

  // With `options`, and a VM at fd://.
  void start(virtual_options options) {
    stop();
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    vm_.reset(ends[0]);
    support::set_deadline(vm_.get());
    options.listen = {
        {.kind = links::link_kind::descriptor, .path = {}, .number = static_cast<std::uint32_t>(ends[1])}};
    auto opened = virtual_network::open(loop_.executor(), vm_network_, options);
    ASSERT_TRUE(opened) << opened.error().message();
    network_ = std::move(*opened);
    policy_ = std::make_unique<access_policy>(
        vm_network_, network_->api(), std::vector<std::string>{},
        [](const net::address&) -> base::result<bool> { return false; }, access_policy::remotes::of_caller);
    forwards_ = std::make_unique<forwarder>(*network_, *policy_, 8);
    tasks_ = std::make_unique<async::task_group>(loop_.executor());
    network_->start(*tasks_);
    ASSERT_TRUE(loop_.run_until([&] { return network_->plane().links().size() == 1; }));
  }
  void stop() {
    if (tasks_) loop_.run(end_tasks(tasks_.get()));
    tasks_.reset(), forwards_.reset(), policy_.reset(), network_.reset(), vm_.reset();
  }
  static async::task<bool> end_tasks(async::task_group* all) {
    co_return co_await all->stop(async::clock::now() + std::chrono::seconds(10));
  }
  [[nodiscard]] std::uint64_t frames_of_vm() { return network_->plane().links().at(0).counters.frames_in; }
  // The VM asks for the gateway; returns when the data plane has dealt with its frame.
  void send_arp() {
    const auto before = frames_of_vm();
    support::send_all(vm_.get(), framed(arp_request()));
    ASSERT_TRUE(loop_.run_until([&] { return frames_of_vm() > before; }));
  }

  subnet vm_network_ = subnet::parse("192.168.127.0/24").value();
  support::event_loop loop_;
  base::unique_fd vm_;
  std::unique_ptr<virtual_network> network_;
  std::unique_ptr<access_policy> policy_;
  std::unique_ptr<forwarder> forwards_;
  std::unique_ptr<async::task_group> tasks_;
};

}  // namespace host_switch
