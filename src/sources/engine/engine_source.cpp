#include "sources/engine/engine_source.hpp"

#include <algorithm>
#include <chrono>
#include <expected>
#include <string>
#include <system_error>
#include <utility>

#include "async/change_within.hpp"
#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "base/backoff.hpp"
#include "base/result.hpp"
#include "os/file_watch.hpp"
#include "ports/source.hpp"
#include "ports/source_id.hpp"
#include "sources/engine/question_queue.hpp"

namespace engine {
namespace {

using namespace std::chrono_literals;

constexpr base::backoff retry{50ms, 1000ms, 0.0};
constexpr auto steady = 10s;               // a connection that lasted this long ended a row of failures
constexpr auto between_lists = 1s;         // at least
constexpr auto relist_unsubscribed = 30s;  // while the engine has not acknowledged the subscription

// How long one question may occupy a slot. Most answers take milliseconds. A container whose lock the engine holds is
// never answered for, and must not hold up others.
std::chrono::milliseconds patience(const question& q) {
  return std::min<std::chrono::milliseconds>(2'000ms * (1 << std::min(q.failures, 3U)), 10'000ms);
}

bool is_unanswered(const base::error& e) {
  return e.code == std::errc::resource_unavailable_try_again || e.code == std::errc::timed_out;
}

}  // namespace

engine_source::engine_source(const async::executor& where, ports::source_id id, engine_options options)
    : id_(id),
      options_(std::move(options)),
      containers_(options_.questions),
      changed_(where),
      question_due_(where),
      list_due_(where),
      silent_events_(std::string(to_string(id)), "the engine does not answer the request for events") {
  if (!options_.socket.empty()) watch_.emplace(where, options_.socket);
}

async::task<> engine_source::run(ports::source_feed& feed) {
  for (unsigned failures = 1;; ++failures) {
    published_ = false;
    const auto begin = async::clock::now();
    const auto ended = co_await follow_engine(feed);
    if (async::clock::now() - begin > steady) failures = 1;
    feed.degraded(id_, ended.error());
    // The watch reports a socket that appears, but not one that exists and begins to accept.
    const bool absent = watch_ && !watch_->seen();
    doubt_stopped(absent);
    co_await async::change_within(absent ? 30s : retry.delay(failures, 0), watch_);
  }
}

// Without an engine no container starts. An engine that does not answer may have started any of them meanwhile.
void engine_source::doubt_stopped(bool absent) {
  const auto now = async::clock::now();
  if (containers_.listed_once() || absent) heard_ = now;
  if (!options_.stopped || now - heard_ < options_.stopped_kept) return;
  containers_.forget_stopped();
  options_.stopped->update(containers_.take_stopped_changes());
}

// Returns the reason why the engine cannot be followed any more.
async::task<base::result<>> engine_source::follow_engine(ports::source_feed& feed) {
  containers_.reset();
  connection_ = {};
  subscribed_ = list_wanted_ = false;
  if (auto connected = co_await open_connection(); !connected) co_return connected;
  const disconnection at_the_end(*this);
  ++epoch_;
  async::task_group tasks(co_await async::asio::this_coro::executor);
  tasks.spawn("engine events", follow_events());
  tasks.spawn("engine list", list_again());
  for (unsigned slot = 0; slot < options_.questions; ++slot) tasks.spawn("engine question", ask_questions(slot));
  co_await tasks.run_beside(publish_changes(feed));
  co_return connection_;
}

async::task<> engine_source::publish_changes(ports::source_feed& feed) {
  while (connection_) {
    publish(feed);
    if (connection_) co_await changed_.wait();
  }
}

void engine_source::fail(base::error why) {
  if (connection_) connection_ = std::unexpected(std::move(why));
  changed_.notify_all();
}

async::task<> engine_source::follow_events() { fail(co_await read_events()); }

void engine_source::subscribed() {
  subscribed_ = true;
  silent_events_.note({});
  list_due_.notify_all();
}

// The question comes first: the engine answers while the rest is done here.
void engine_source::flush() {
  question_due_.notify_one();
  changed_.notify_all();
}

void engine_source::events_read() {
  if (options_.trace) read_ = async::clock::now();
}

void engine_source::trace_event(const std::string& container_id) {
  if (options_.trace) options_.trace->event(id_, container_id, read_, async::clock::now());
}

void engine_source::ended(const std::string& container_id) {
  trace_event(container_id);
  containers_.ended(container_id, async::clock::now());
}

void engine_source::ask_about(const std::string& container_id) {
  trace_event(container_id);
  if (!containers_.ask_about(container_id, async::clock::now())) list_soon();
}

void engine_source::list_soon() {
  list_wanted_ = true;
  list_due_.notify_all();
}

// No event between the subscription and the list is missed. Some engines acknowledge with the first event only.
async::task<> engine_source::wait_for_subscription() {
  const auto limit = async::clock::now() + options_.first_list;
  while (!subscribed_ && async::clock::now() < limit) co_await list_due_.wait_until(limit);
  if (!subscribed_) silent_events_.note(base::fail("no header yet; listing every 30 s"));
}

async::task<> engine_source::wait_for_next_list(std::chrono::milliseconds at_most) {
  const auto now = async::clock::now();
  const auto soonest = now + std::min<async::clock::duration>(between_lists, at_most);
  const auto latest = now + at_most;
  const auto quicker = now + std::min<async::clock::duration>(relist_unsubscribed, at_most);
  const auto due = [&] { return list_wanted_ ? soonest : subscribed_ ? latest : quicker; };
  while (async::clock::now() < due()) co_await list_due_.wait_until(due());
}

// The second list follows soon. A container that was about to end during the subscription may be in the first list
// though its event has gone by.
async::task<> engine_source::list_again() {
  co_await wait_for_subscription();
  for (auto pause = options_.second_list;; pause = options_.relist) {
    list_wanted_ = false;
    containers_.begin_list(async::clock::now());
    auto running = co_await list();
    if (!running) co_return fail(running.error());
    containers_.listed(std::move(*running), async::clock::now());
    flush();
    co_await wait_for_next_list(pause);
  }
}

// One slot wakes up for a batch of events, and wakes the next if it leaves questions behind.
async::task<> engine_source::ask_questions(unsigned slot) {
  while (true) {
    const auto q = containers_.next_question(async::clock::now());
    if (!q) {
      co_await question_due_.wait_until(containers_.next_question_due());
      continue;
    }
    if (containers_.next_question_due() <= async::clock::now()) question_due_.notify_one();
    if (options_.trace) options_.trace->asked(id_, q->id, async::clock::now());
    auto now = co_await async::within(patience(*q), ask(q->id, slot));
    if (options_.trace) options_.trace->answered(id_, q->id, async::clock::now());
    if (!now && !is_unanswered(now.error())) co_return fail(now.error());
    if (now)
      containers_.answered(*q, std::move(*now));
    else
      containers_.unanswered(*q, now.error().message(), async::clock::now());
    changed_.notify_all();
  }
}

void engine_source::publish(ports::source_feed& feed) {
  const auto stopped = containers_.take_stopped_changes();  // taken in any case, or they would pile up
  if (options_.stopped) options_.stopped->update(stopped);
  if (!containers_.listed_once() || (!containers_.take_changed() && published_)) return;
  auto now = containers_.snapshot();
  now.epoch = epoch_;
  published_ = true;
  feed.publish(id_, std::move(now));
}

}  // namespace engine
