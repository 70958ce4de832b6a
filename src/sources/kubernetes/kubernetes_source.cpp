#include "sources/kubernetes/kubernetes_source.hpp"

#include <chrono>
#include <cstddef>
#include <expected>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/backoff.hpp"
#include "base/result.hpp"
#include "ports/source.hpp"
#include "sources/kubernetes/services_watch.hpp"

namespace kubernetes {
namespace {

using namespace std::chrono_literals;

constexpr base::backoff retry{50ms, 2'000ms, 0.0};
constexpr std::chrono::seconds steady{10};  // a connection that lasted this long ended a row of failures
constexpr std::size_t many = 1'000;
constexpr std::chrono::milliseconds between_publications{10};  // of many ports

services_watch_options watching(const kubernetes_options& o) {
  return {o.deadline, o.watch, o.watch_grace, o.whole_list, o.page};
}

}  // namespace

kubernetes_source::kubernetes_source(const async::executor& where, kubernetes_options options)
    : options_(std::move(options)),
      services_(options_.listener),
      config_(where, options_.kubeconfig),
      api_(options_.deadline),
      changed_(where),
      watch_(api_, services_, changed_, watching(options_)) {}

async::task<> kubernetes_source::run(ports::source_feed& feed) {
  for (unsigned failures = 1;; ++failures) {
    auto access = co_await config_.read();
    if (!access) {
      feed.degraded(id(), access.error());
      co_await config_.changed(options_.reread);
      continue;
    }
    const auto begin = async::clock::now();
    auto ended = co_await follow_cluster(feed, std::move(*access));
    if (async::clock::now() - begin > steady) failures = 1;
    feed.degraded(id(), std::move(ended));
    co_await config_.changed(retry.delay(failures, 0));
  }
}

// Returns the reason why the cluster cannot be followed any more.
async::task<base::error> kubernetes_source::follow_cluster(ports::source_feed& feed, cluster_access access) {
  watch_.restart();
  published_ = false;
  connection_ = {};
  if (auto connected = co_await api_.open_connection(std::move(access)); !connected) co_return connected.error();
  ++epoch_;
  async::task_group tasks(co_await async::asio::this_coro::executor);
  tasks.spawn("kubernetes watch", follow_services());
  tasks.spawn("kubeconfig", follow_kubeconfig());
  co_await tasks.run_beside(publish_changes(feed));
  api_.close();
  co_return std::move(connection_.error());
}

async::task<> kubernetes_source::publish_changes(ports::source_feed& feed) {
  while (connection_) {
    if (publish(feed) && services_.size() > many)
      co_await async::sleep_for(between_publications);
    else if (connection_)
      co_await changed_.wait();
  }
}

void kubernetes_source::fail(base::error why) {
  if (connection_) connection_ = std::unexpected(std::move(why));
  changed_.notify_all();
}

// True: something has been published.
bool kubernetes_source::publish(ports::source_feed& feed) {
  if (!watch_.listed() || (!services_.take_changed() && published_)) return false;
  auto now = services_.snapshot();
  now.epoch = epoch_;
  published_ = true;
  feed.publish(id(), std::move(now));
  return true;
}

async::task<> kubernetes_source::follow_services() { fail(co_await watch_.run()); }

// A file that changes and still means the same is no reason to start over.
async::task<> kubernetes_source::follow_kubeconfig() {
  while (true) {
    co_await config_.changed(config_.watched() ? options_.recheck : options_.reread);
    const auto now = co_await config_.read();
    if (now && *now != api_.access()) co_return fail({{}, "the kubeconfig has changed"});
  }
}

}  // namespace kubernetes
