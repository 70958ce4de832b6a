#include "sources/kubernetes/kubernetes_source.hpp"

#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "base/backoff.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace kubernetes {
namespace {

using namespace std::chrono_literals;

constexpr base::backoff retry{50ms, 2'000ms, 0.0};
constexpr base::backoff watch_again{10ms, 5'000ms, 0.0};
constexpr auto over_at_once = 1s;           // a watch that did not last this long
constexpr std::chrono::seconds steady{10};  // a connection that lasted this long ended a row of failures
constexpr std::size_t many = 1'000;
constexpr std::chrono::milliseconds between_publications{10};  // of many ports
constexpr unsigned gone = 410;
constexpr unsigned most_pages = 2'000;

}  // namespace

kubernetes_source::kubernetes_source(const async::executor& where, kubernetes_options options)
    : where_(where),
      options_(std::move(options)),
      services_(options_.listener),
      config_(options_.kubeconfig),
      api_(options_.deadline),
      changed_(where) {}

// False: polling has to do.
bool kubernetes_source::open_file_watch() {
  auto watch = os::file_watch::open(where_, options_.kubeconfig);
  watchable_ = watch.has_value();
  if (watch)
    file_ = std::move(*watch);
  else
    base::log::warn("kubernetes", "no inotify, polling for the kubeconfig reason=\"{}\"", watch.error().message());
  return watchable_;
}

// The kubeconfig's directories are watched as soon as it is known that they answer. What came before is then read
// again.
async::task<base::result<cluster_access>> kubernetes_source::read_kubeconfig() {
  auto access = co_await config_.read();
  const bool answers = access || access.error().code != std::errc::timed_out;
  if (!answers || file_ || !watchable_ || !open_file_watch()) co_return access;
  co_return co_await config_.read();
}

async::task<> kubernetes_source::wait_for_kubeconfig(std::chrono::milliseconds at_most) {
  if (file_)
    static_cast<void>(co_await async::within(at_most, file_->changed()));
  else
    co_await async::sleep_for(at_most);
}

async::task<> kubernetes_source::run(ports::source_feed& feed) {
  for (unsigned failures = 1;; ++failures) {
    auto access = co_await read_kubeconfig();
    if (!access) {
      feed.degraded(id(), access.error());
      co_await wait_for_kubeconfig(options_.reread);
      continue;
    }
    const auto begin = async::clock::now();
    auto ended = co_await follow_cluster(feed, std::move(*access));
    if (async::clock::now() - begin > steady) failures = 1;
    feed.degraded(id(), std::move(ended));
    co_await wait_for_kubeconfig(retry.delay(failures, 0));
  }
}

// Ends with the reason why the cluster cannot be followed any more.
async::task<base::error> kubernetes_source::follow_cluster(ports::source_feed& feed, cluster_access access) {
  listed_ = published_ = false;
  failure_.reset();
  if (auto connected = co_await api_.open_connection(std::move(access)); !connected) co_return connected.error();
  ++epoch_;
  async::task_group tasks(co_await async::asio::this_coro::executor);
  tasks.spawn("kubernetes watch", list_and_watch());
  tasks.spawn("kubeconfig", watch_kubeconfig());
  co_await tasks.run_beside(publish_changes(feed));
  api_.close();
  co_return std::move(*failure_);
}

async::task<> kubernetes_source::publish_changes(ports::source_feed& feed) {
  while (!failure_) {
    if (publish(feed) && services_.size() > many)
      co_await async::sleep_for(between_publications);
    else if (!failure_)
      co_await changed_.wait();
  }
}

void kubernetes_source::fail(base::error why) {
  if (!failure_) failure_ = std::move(why);
  changed_.notify_all();
}

// True: something has been published.
bool kubernetes_source::publish(ports::source_feed& feed) {
  if (!listed_ || (!services_.take_changed() && published_)) return false;
  auto now = services_.snapshot();
  now.epoch = epoch_;
  published_ = true;
  feed.publish(id(), std::move(now));
  return true;
}

// A file that changes and means the same is no reason to start over.
async::task<> kubernetes_source::watch_kubeconfig() {
  while (true) {
    co_await wait_for_kubeconfig(file_ ? options_.recheck : options_.reread);
    const auto now = co_await read_kubeconfig();
    if (now && *now != api_.access()) co_return fail({{}, "the kubeconfig has changed"});
  }
}

// Until something fails.
async::task<> kubernetes_source::list_and_watch() {
  while (true) {
    auto listed = co_await async::within(options_.whole_list, list());
    if (!listed) co_return fail(listed.error());
    for (auto end = watch_end::in_order; end == watch_end::in_order;) {
      const auto begin = async::clock::now();
      const auto version = resource_version_;
      const auto ended = co_await watch();
      if (!ended) co_return fail(ended.error());
      end = *ended;
      if (end == watch_end::gone) co_await api_.drain();
      const bool fruitless = resource_version_ == version && async::clock::now() - begin < over_at_once;
      fruitless_ = fruitless ? fruitless_ + 1 : 0;
      co_await async::sleep_for(watch_again.delay(fruitless_, 0));
    }
  }
}

async::task<base::result<>> kubernetes_source::list() {
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

async::task<base::result<page_end>> kubernetes_source::list_page(const std::string& continue_token) {
  auto target = "/api/v1/services?limit=" + std::to_string(options_.page);
  if (!continue_token.empty()) target += "&continue=" + http::escape(continue_token);
  const auto head = co_await api_.get(std::move(target));
  if (!head) co_return std::unexpected(head.error());
  if (head->status != 200) {
    auto why = co_await api_.refused(*head);
    co_return std::unexpected(std::move(why));
  }
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

async::task<base::result<kubernetes_source::watch_end>> kubernetes_source::watch() {
  const auto head = co_await api_.get(
      "/api/v1/services?watch=true&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(options_.watch.count()) +
      "&resourceVersion=" + http::escape(resource_version_));
  if (!head) co_return std::unexpected(head.error());
  if (head->status == gone) co_return watch_end::gone;
  if (head->status != 200) {
    auto why = co_await api_.refused(*head);
    co_return std::unexpected(std::move(why));
  }
  co_return co_await read_events();
}

async::task<base::result<kubernetes_source::watch_end>> kubernetes_source::read_events() {
  const auto deadline = async::clock::now() + options_.watch + options_.watch_grace;
  watch_reader reader;
  while (true) {
    const auto piece = co_await api_.next_piece(deadline);
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) co_return watch_end::in_order;
    const auto events = reader.feed(*piece);
    if (!events) co_return std::unexpected(events.error());
    const auto handled = handle(*events);
    if (!handled || *handled == watch_end::gone) co_return handled;
  }
}

base::result<kubernetes_source::watch_end> kubernetes_source::handle(const std::vector<watch_event>& events) {
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
