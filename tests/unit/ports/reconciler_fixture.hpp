// reconciler_fixture: the reconciler over a scripted sink.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "async/condition.hpp"
#include "async/task_group.hpp"
#include "ports/reconciler.hpp"
#include "tests/support/temp_dir.hpp"

namespace ports {

inline forward on(std::uint16_t port) {
  return {{net::protocol::tcp, net::address::any_v4(), port}, 0, source_id::docker, {}};
}
inline forward_map all(std::initializer_list<forward> forwards) {
  forward_map made;
  for (const auto& f : forwards) made[f.key] = f;
  return made;
}

// The requests that a test's sink gets, and its answers; outlives the sink.
struct script {
  explicit script(const async::executor& where) : event(where) {}
  async::condition event;
  std::set<port_key> held;
  bool down = false;
  bool hangs = false;
  bool restarted = false;
  bool closed = false;
  std::function<void(const operation&)> on_apply;
  std::set<std::uint16_t> busy;
  unsigned lists = 0;
};

class scripted_sink : public sink {
 public:
  explicit scripted_sink(script& s) : script_(s) {}
  std::string_view name() const override { return "scripted"; }
  sink_traits traits() const override { return {.workers = 2, .batch = 2, .shared = true, .announces_return = false}; }

  async::task<base::result<peer_state>> list() override {
    ++script_.lists;
    script_.event.notify_all();
    if (script_.down) co_return base::fail(std::errc::connection_refused, "scripted");
    peer_state state;
    for (const auto& key : script_.held) state.held.push_back({key});
    co_return state;
  }
  async::task<std::vector<outcome>> apply(std::vector<operation> batch) override {
    while (script_.hangs) co_await script_.event.wait();
    std::vector<outcome> outcomes;
    for (const auto& op : batch) outcomes.push_back(perform(op));
    script_.event.notify_all();
    co_return outcomes;
  }
  async::task<> changed() override {
    while (!script_.restarted) co_await script_.event.wait();
    script_.restarted = false;
  }
  async::task<> close() override {
    script_.closed = true;
    co_return;
  }

 private:
  outcome perform(const operation& op) {
    if (script_.on_apply) script_.on_apply(op);
    if (op.what == verb::add && script_.busy.contains(op.target.key.port))
      return {outcome_kind::conflict, "address already in use"};
    if (op.what == verb::add)
      script_.held.insert(op.target.key);
    else
      script_.held.erase(op.target.key);
    return {};
  }
  script& script_;
};

class reconciler_test : public testing::Test {
 protected:
  void TearDown() override { crash(); }

  void start() {
    auto book = journal::open(directory_.path(), "scripted", "boot");
    ASSERT_TRUE(book) << book.error().message();
    reconciler_ = std::make_unique<reconciler>(context_.get_executor(), std::make_unique<scripted_sink>(script_),
                                               std::move(*book));
    tasks_ = std::make_unique<async::task_group>(context_.get_executor());
    tasks_->spawn("reconciler", reconciler_->run());
  }
  // Nothing is taken back, as after kill -9.
  void crash() {
    tasks_.reset();
    context_.restart();
    context_.run();
    reconciler_.reset();
  }
  void want(std::initializer_list<forward> forwards, source_set settled = all_sources) {
    reconciler_->want(all(forwards), settled, 1);
  }
  template <class Predicate>
  [[nodiscard]] bool soon(Predicate holds) {
    const auto deadline = async::clock::now() + std::chrono::seconds(10);
    context_.restart();
    while (!holds() && async::clock::now() < deadline) context_.run_one_for(std::chrono::milliseconds(50));
    return holds();
  }
  [[nodiscard]] bool holds_soon(std::set<std::uint16_t> ports) {
    return soon([&] {
      std::set<std::uint16_t> held;
      for (const auto& key : script_.held) held.insert(key.port);
      return held == ports;
    });
  }

  boost::asio::io_context context_{1};
  script script_{context_.get_executor()};
  support::temp_dir directory_;
  std::unique_ptr<reconciler> reconciler_;
  std::unique_ptr<async::task_group> tasks_;
};

}  // namespace ports
