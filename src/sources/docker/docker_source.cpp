#include "sources/docker/docker_source.hpp"

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "io/task_group.hpp"
#include "io/timeout.hpp"

namespace docker {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t body_bytes = 64 << 20;
constexpr base::backoff retry{50ms, 1000ms, 0.0};
// Only what is needed: an engine tells much else.
constexpr const char* events_filter = R"({"type":{"container":true},"event":{"start":true,"stop":true,"die":true}})";
// To the engine a paused container is not "running"; its ports are published all the same.
constexpr const char* running_filter = R"({"status":["running","paused"]})";

base::error not_ok(const http::response& answer, const std::string& path) {
  return {{}, "the engine answered " + std::to_string(answer.status) + " to " + path + ": " + base::printable(base::trim(answer.body))};
}

}  // namespace

docker_source::docker_source(const io::executor& where, docker_options options) : options_(std::move(options)), changed_(where) {
  if (options_.engine.path.empty()) return;
  auto watch = io::file_watch::open(where, options_.engine.path);
  if (watch) watch_ = std::move(*watch);
  else base::log::warn("docker", "no inotify, polling for the engine's socket reason=\"{}\"", watch.error().message());
}

// Until the engine's socket is new, or the time is over.
io::task<> docker_source::wait_for_engine(std::chrono::milliseconds at_most) {
  if (watch_) static_cast<void>(co_await io::within(at_most, watch_->changed()));
  else co_await io::sleep_for(at_most);
}

io::task<> docker_source::run(ports::source_feed& feed) {
  for (unsigned failures = 1;; ++failures) {
    published_ = false;
    const auto ended = co_await follow_engine(feed);
    if (published_) failures = 1;
    feed.degraded(id(), ended.error());
    // A socket that is not there is announced when it comes; one that is there and refuses is not.
    const bool absent = watch_ && ended.error().code == std::errc::no_such_file_or_directory;
    co_await wait_for_engine(absent ? 30s : retry.delay(failures, 0));
  }
}

// Ends with the reason why the engine cannot be followed any more.
io::task<base::result<>> docker_source::follow_engine(ports::source_feed& feed) {
  if (auto agreed = co_await negotiate(); !agreed) co_return agreed;
  containers_.reset();
  splitter_ = object_splitter();
  failure_.reset();
  auto stream = co_await subscribe();
  if (!stream) co_return std::unexpected(stream.error());
  ++epoch_;
  io::task_group tasks(co_await io::asio::this_coro::executor);
  tasks.spawn("docker events", read_events(std::move(*stream)));
  tasks.spawn("docker list", list_again());
  for (unsigned i = 0; i < options_.questions; ++i) tasks.spawn("docker inspect", ask_questions());
  std::exception_ptr cancelled;
  try {
    while (!failure_) {
      publish(feed);
      if (!failure_) co_await changed_.wait();
    }
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (cancelled) co_await io::asio::this_coro::reset_cancellation_state(io::asio::disable_cancellation());
  co_await tasks.stop(io::clock::time_point::max());
  if (cancelled) std::rethrow_exception(cancelled);
  co_return std::unexpected(*failure_);
}

io::task<base::result<>> docker_source::negotiate() {
  prefix_ = options_.api_version.empty() ? "" : "/v" + options_.api_version;
  if (!prefix_.empty()) co_return base::result<>{};
  auto engine = co_await http::connection::open(options_.engine, options_.deadline);
  if (!engine) co_return std::unexpected(engine.error());
  http::request ping{.target = "/_ping"};
  const http::exchange_limits limits{.deadline = options_.deadline, .body_bytes = 64 << 10};
  const auto answer = co_await engine->exchange(std::move(ping), limits);
  if (!answer) co_return std::unexpected(answer.error());
  if (answer->status != 200) co_return std::unexpected(not_ok(*answer, "/_ping"));
  const auto version = choose_version(answer->header("Api-Version"));
  if (!version) co_return base::fail("the engine offers no API version");
  prefix_ = "/v" + *version;
  co_return base::result<>{};
}

io::task<base::result<http::connection>> docker_source::subscribe() {
  auto stream = co_await http::connection::open(options_.engine, options_.deadline);
  if (!stream) co_return std::unexpected(stream.error());
  http::request events{.target = prefix_ + "/events?filters=" + http::escape(events_filter)};
  const http::exchange_limits limits{.deadline = options_.deadline};
  const auto head = co_await stream->open_stream(std::move(events), limits);
  if (!head) co_return std::unexpected(head.error());
  if (head->status != 200) co_return std::unexpected(not_ok(*head, "/events"));
  co_return std::move(*stream);
}

void docker_source::fail(base::error why) {
  if (!failure_) failure_ = std::move(why);
  changed_.notify_all();
}

void docker_source::handle(std::string_view object) {
  const auto e = parse_event(object);
  if (!e) return base::log::warn("docker", "an event that cannot be read reason=\"{}\"", e.error().message());
  if (e->what == action::start) containers_.started(e->id);
  else if (e->what == action::end) containers_.ended(e->id);
  changed_.notify_all();
}

// Silence is normal and may last for days. All events of one piece are handled before anything is published.
io::task<> docker_source::read_events(http::connection stream) {
  while (true) {
    const auto piece = co_await stream.read_some();
    if (!piece) co_return fail(piece.error());
    if (piece->empty()) co_return fail({{}, "the engine has ended its events"});
    splitter_.feed(*piece);
    while (true) {
      const auto object = splitter_.next();
      if (!object) co_return fail(object.error());
      if (!*object) break;
      handle(**object);
    }
  }
}

// The body of a GET that was answered with 200. A container that is not there (404) is an empty body.
io::task<base::result<std::string>> docker_source::get(std::optional<http::connection>& kept, std::string path) {
  if (!kept || !kept->usable()) {
    auto opened = co_await http::connection::open(options_.engine, options_.deadline);
    if (!opened) co_return std::unexpected(opened.error());
    kept = std::move(*opened);
  }
  http::request r{.target = prefix_ + path};
  const http::exchange_limits limits{.deadline = options_.deadline, .body_bytes = body_bytes};
  auto answer = co_await kept->exchange(std::move(r), limits);
  if (!answer) co_return std::unexpected(answer.error());
  if (answer->status == 404) co_return std::string();
  if (answer->status != 200) co_return std::unexpected(not_ok(*answer, path));
  co_return std::move(answer->body);
}

// The second list follows soon: a container that was about to end when the events were subscribed to may have stood in
// the first one without any event to come.
io::task<> docker_source::list_again() {
  std::optional<http::connection> engine;
  for (auto pause = options_.second_list;; pause = options_.relist) {
    containers_.begin_list();
    const auto body = co_await get(engine, "/containers/json?filters=" + http::escape(running_filter));
    if (!body) co_return fail(body.error());
    auto list = parse_list(*body);
    if (!list) co_return fail(list.error());
    containers_.listed(std::move(*list));
    changed_.notify_all();
    engine.reset();
    co_await io::sleep_for(pause);
  }
}

io::task<> docker_source::ask_questions() {
  std::optional<http::connection> engine;
  while (true) {
    const auto q = containers_.next_question();
    if (!q) {
      co_await changed_.wait();
      continue;
    }
    const auto body = co_await get(engine, "/containers/" + q->id + "/json");
    if (!body) co_return fail(body.error());
    auto now = body->empty() ? base::result<std::optional<container>>(std::nullopt) : parse_inspect(*body);
    if (!now) co_return fail(now.error());
    containers_.answered(*q, std::move(*now));
    changed_.notify_all();
  }
}

void docker_source::publish(ports::source_feed& feed) {
  if (!containers_.listed_once() || (!containers_.take_changed() && published_)) return;
  auto now = containers_.snapshot();
  now.epoch = epoch_;
  published_ = true;
  feed.publish(id(), std::move(now));
}

}  // namespace docker
