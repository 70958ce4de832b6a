#include "containers/engine_source.hpp"

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "io/task_group.hpp"
#include "io/timeout.hpp"

namespace containers {
namespace {

using namespace std::chrono_literals;

constexpr base::backoff retry{50ms, 1000ms, 0.0};
constexpr auto ask_again = 500ms;  // about a container of which the engine could not tell
constexpr auto steady = 10s;       // a connection that lasted this long ended a row of failures

}  // namespace

engine_source::engine_source(const io::executor& where, ports::source_id id, engine_options options)
    : id_(id), options_(std::move(options)), changed_(where) {
  if (options_.socket.empty()) return;
  auto watch = io::file_watch::open(where, options_.socket);
  if (watch)
    watch_ = std::move(*watch);
  else
    base::log::warn(to_string(id_), "no inotify, polling for the engine's socket reason=\"{}\"",
                    watch.error().message());
}

// Until the engine's socket is new, or the time is over.
io::task<> engine_source::wait_for_engine(std::chrono::milliseconds at_most) {
  if (watch_)
    static_cast<void>(co_await io::within(at_most, watch_->changed()));
  else
    co_await io::sleep_for(at_most);
}

io::task<> engine_source::run(ports::source_feed& feed) {
  for (unsigned failures = 1;; ++failures) {
    published_ = false;
    const auto begin = io::clock::now();
    const auto ended = co_await follow_engine(feed);
    if (io::clock::now() - begin > steady) failures = 1;
    feed.degraded(id_, ended.error());
    // A socket that is not there is announced when it comes; one that is there and refuses is not.
    const bool absent = watch_ && !io::identify(options_.socket);
    co_await wait_for_engine(absent ? 30s : retry.delay(failures, 0));
  }
}

// Ends with the reason why the engine cannot be followed any more.
io::task<base::result<>> engine_source::follow_engine(ports::source_feed& feed) {
  containers_.reset();
  failure_.reset();
  if (auto connected = co_await connect(); !connected) co_return connected;
  const disconnection at_the_end(*this);
  ++epoch_;
  io::task_group tasks(co_await io::asio::this_coro::executor);
  tasks.spawn("engine events", follow_events());
  tasks.spawn("engine list", list_again());
  tasks.spawn("engine patience", ask_unanswered_again());
  for (unsigned slot = 0; slot < options_.questions; ++slot) tasks.spawn("engine question", ask_questions(slot));
  co_await tasks.run_beside(publish_changes(feed));
  co_return std::unexpected(*failure_);
}

io::task<> engine_source::publish_changes(ports::source_feed& feed) {
  while (!failure_) {
    publish(feed);
    if (!failure_) co_await changed_.wait();
  }
}

void engine_source::fail(base::error why) {
  if (!failure_) failure_ = std::move(why);
  changed_.notify_all();
}

io::task<> engine_source::follow_events() { fail(co_await read_events()); }

// The second list follows soon: a container that was about to end when the events were subscribed to may have stood in
// the first one without any event to come.
io::task<> engine_source::list_again() {
  for (auto pause = options_.second_list;; pause = options_.relist) {
    containers_.begin_list();
    auto running = co_await list();
    if (!running) co_return fail(running.error());
    containers_.listed(std::move(*running));
    changed_.notify_all();
    co_await io::sleep_for(pause);
  }
}

io::task<> engine_source::ask_questions(unsigned slot) {
  while (true) {
    const auto q = containers_.next_question();
    if (!q) {
      co_await changed_.wait();
      continue;
    }
    auto now = co_await ask(q->id, slot);
    if (!now && now.error().code == std::errc::resource_unavailable_try_again) {
      containers_.unanswered(*q);
      changed_.notify_all();
      continue;
    }
    if (!now) co_return fail(now.error());
    containers_.answered(*q, std::move(*now));
    changed_.notify_all();
  }
}

io::task<> engine_source::ask_unanswered_again() {
  while (true) {
    while (!containers_.has_unanswered()) co_await changed_.wait();
    co_await io::sleep_for(ask_again);
    containers_.ask_unanswered_again();
    changed_.notify_all();
  }
}

void engine_source::publish(ports::source_feed& feed) {
  if (!containers_.listed_once() || (!containers_.take_changed() && published_)) return;
  auto now = containers_.snapshot();
  now.epoch = epoch_;
  published_ = true;
  feed.publish(id_, std::move(now));
}

}  // namespace containers
