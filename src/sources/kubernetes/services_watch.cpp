#include "sources/kubernetes/services_watch.hpp"

#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/backoff.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "http/message.hpp"
#include "sources/kubernetes/services_codec.hpp"

namespace kubernetes {
namespace {

using namespace std::chrono_literals;

constexpr base::backoff watch_again{10ms, 5'000ms, 0.0};
constexpr auto over_at_once = 1s;  // a watch that lasted less
constexpr unsigned gone = 410;
constexpr unsigned most_pages = 2'000;

}  // namespace

async::task<base::error> services_watch::run() {
  while (true) {
    auto listed = co_await async::within(options_.whole_list, list());
    if (!listed) co_return listed.error();
    for (auto end = watch_end::in_order; end == watch_end::in_order;) {
      const auto ended = co_await watch_once();
      if (!ended) co_return ended.error();
      end = *ended;
    }
  }
}

async::task<base::result<>> services_watch::list() {
  services_.begin_list();
  std::string token;
  for (unsigned pages = 0; pages < most_pages; ++pages) {
    auto end = co_await list_page(token);
    if (!end) co_return std::unexpected(end.error());
    token = std::move(end->continue_token);
    resource_version_ = std::move(end->resource_version);
    if (!token.empty()) continue;
    services_.commit_list();
    listed_ = true;
    changed_.notify_all();
    co_return base::result<>{};
  }
  co_return base::fail("the list of Services has no end");
}

async::task<base::result<page_end>> services_watch::list_page(const std::string& continue_token) {
  auto target = "/api/v1/services?limit=" + std::to_string(options_.page);
  if (!continue_token.empty()) target += "&continue=" + http::escape(continue_token);
  const auto head = co_await api_.get(std::move(target));
  if (!head) co_return std::unexpected(head.error());
  if (head->status == 200) co_return co_await read_page();
  auto why = co_await api_.refused(*head);
  co_return std::unexpected(std::move(why));
}

async::task<base::result<page_end>> services_watch::read_page() {
  list_reader reader;
  while (true) {
    const auto piece = co_await api_.next_piece(async::clock::now() + options_.deadline);
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) co_return reader.finish();
    const auto services = reader.feed(*piece);
    if (!services) co_return std::unexpected(services.error());
    services_.add(*services);
  }
}

// Pauses longer and longer if watches end at once without an event.
async::task<base::result<services_watch::watch_end>> services_watch::watch_once() {
  const auto begin = async::clock::now();
  const auto version = resource_version_;
  const auto ended = co_await watch();
  if (!ended) co_return ended;
  if (*ended == watch_end::gone) co_await api_.drain();
  const bool fruitless = resource_version_ == version && async::clock::now() - begin < over_at_once;
  fruitless_ = fruitless ? fruitless_ + 1 : 0;
  co_await async::sleep_for(watch_again.delay(fruitless_, 0));
  co_return ended;
}

async::task<base::result<services_watch::watch_end>> services_watch::watch() {
  const auto head = co_await api_.get(
      "/api/v1/services?watch=true&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(options_.watch.count()) +
      "&resourceVersion=" + http::escape(resource_version_));
  if (!head) co_return std::unexpected(head.error());
  if (head->status == gone) co_return watch_end::gone;
  if (head->status == 200) co_return co_await read_events();
  auto why = co_await api_.refused(*head);
  co_return std::unexpected(std::move(why));
}

async::task<base::result<services_watch::watch_end>> services_watch::read_events() {
  const auto deadline = async::clock::now() + options_.watch + options_.watch_grace;
  watch_reader reader;
  while (true) {
    const auto piece = co_await api_.next_piece(deadline);
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) co_return watch_end::in_order;
    const auto events = reader.feed(*piece);
    if (!events) co_return std::unexpected(events.error());
    const auto applied = apply(*events);
    if (!applied || *applied == watch_end::gone) co_return applied;
  }
}

base::result<services_watch::watch_end> services_watch::apply(const std::vector<watch_event>& events) {
  for (const auto& e : events) {
    if (e.what == change::error && e.code == gone) return watch_end::gone;
    if (e.what == change::error) return base::fail("the watch: " + base::printable(e.message, 300));
    services_.apply(e);
    if (!e.resource_version.empty()) resource_version_ = e.resource_version;
  }
  if (!events.empty()) changed_.notify_all();
  return watch_end::in_order;
}

}  // namespace kubernetes
