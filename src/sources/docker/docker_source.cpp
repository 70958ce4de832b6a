#include "sources/docker/docker_source.hpp"

#include "base/text.hpp"
#include "sources/docker/docker_codec.hpp"

namespace docker {
namespace {

constexpr std::size_t body_bytes = 64 << 20;
// Only what is needed: an engine tells much else.
constexpr const char* events_filter = R"({"type":{"container":true},"event":{"start":true,"stop":true,"die":true}})";
// To the engine a paused container is not "running"; its ports are published all the same.
constexpr const char* running_filter = R"({"status":["running","paused"]})";

base::error not_ok(const http::response& answer, const std::string& path) {
  return {{},
          "the engine answered " + std::to_string(answer.status) + " to " + path + ": " +
              base::printable(base::trim(answer.body))};
}

// What concerns one container is asked again; only a lost connection concerns them all, and ends the events too.
std::unexpected<base::error> unanswered(const base::error& e) {
  return base::fail(std::errc::resource_unavailable_try_again, e.message());
}

containers::engine_options watch(const docker_options& o) {
  auto following = o.following;
  following.socket = o.engine.path;
  return following;
}

}  // namespace

docker_source::docker_source(const io::executor& where, docker_options options)
    : engine_source(where, ports::source_id::docker, watch(options)),
      options_(std::move(options)),
      kept_(options_.following.questions) {}

io::task<base::result<>> docker_source::connect() {
  if (auto agreed = co_await negotiate(); !agreed) co_return agreed;
  splitter_ = object_splitter();
  co_return co_await subscribe();
}

void docker_source::disconnect() {
  events_.reset();
  for (auto& kept : kept_) kept.reset();
}

io::task<base::result<>> docker_source::negotiate() {
  prefix_ = options_.api_version.empty() ? "" : "/v" + options_.api_version;
  if (!prefix_.empty()) co_return base::result<>{};
  auto engine = co_await http::connection::open(options_.engine, options_.deadline, options_.tls);
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

io::task<base::result<>> docker_source::subscribe() {
  auto stream = co_await http::connection::open(options_.engine, options_.deadline, options_.tls);
  if (!stream) co_return std::unexpected(stream.error());
  http::request events{.target = prefix_ + "/events?filters=" + http::escape(events_filter)};
  const http::exchange_limits limits{.deadline = options_.deadline};
  const auto head = co_await stream->open_stream(std::move(events), limits);
  if (!head) co_return std::unexpected(head.error());
  if (head->status != 200) co_return std::unexpected(not_ok(*head, "/events"));
  events_ = std::move(*stream);
  co_return base::result<>{};
}

base::result<> docker_source::handle(std::string_view object) {
  const auto e = parse_event(object);
  if (!e) return base::fail("an event that cannot be read: " + e.error().message());
  if (e->what == action::start)
    started(e->id);
  else if (e->what == action::end)
    ended(e->id);
  return {};
}

// Silence is normal and may last for days. All events of one piece are handled before anything is published. What an
// event that cannot be read would have told is learnt from the list of the next connection.
io::task<base::error> docker_source::read_events() {
  while (true) {
    const auto piece = co_await events_->read_some();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return base::error{{}, "the engine has ended its events"};
    splitter_.feed(*piece);
    while (true) {
      const auto object = splitter_.next();
      if (!object) co_return object.error();
      if (!*object) break;
      if (auto read = handle(**object); !read) co_return read.error();
    }
    handled();
  }
}

io::task<base::result<>> docker_source::keep_open(std::optional<http::connection>& kept) {
  if (kept && kept->usable()) co_return base::result<>{};
  auto opened = co_await http::connection::open(options_.engine, options_.deadline, options_.tls);
  if (!opened) co_return std::unexpected(opened.error());
  kept = std::move(*opened);
  co_return base::result<>{};
}

// The body of a GET that was answered with 200. What is not there (404) is an empty body.
io::task<base::result<std::string>> docker_source::get(http::connection& engine, std::string path) {
  http::request r{.target = prefix_ + path};
  const http::exchange_limits limits{.deadline = options_.deadline, .body_bytes = body_bytes};
  auto answer = co_await engine.exchange(std::move(r), limits);
  if (!answer) co_return std::unexpected(answer.error());
  if (answer->status == 404) co_return std::string();
  if (answer->status != 200) co_return std::unexpected(not_ok(*answer, path));
  co_return std::move(answer->body);
}

io::task<base::result<containers::container_list>> docker_source::list() {
  std::optional<http::connection> engine;  // for once: the next list is minutes away
  if (auto opened = co_await keep_open(engine); !opened) co_return std::unexpected(opened.error());
  const auto body = co_await get(*engine, "/containers/json?filters=" + http::escape(running_filter));
  if (!body) co_return std::unexpected(body.error());
  auto running = parse_list(*body);
  if (!running) co_return std::unexpected(running.error());
  co_return containers::container_list{std::move(*running)};
}

io::task<base::result<std::optional<containers::container>>> docker_source::ask(const std::string& id, unsigned slot) {
  auto& engine = kept_[slot];
  if (auto opened = co_await keep_open(engine); !opened) co_return std::unexpected(opened.error());
  const auto body = co_await get(*engine, "/containers/" + id + "/json");
  if (!body) co_return unanswered(body.error());
  if (body->empty()) co_return std::optional<containers::container>();
  auto described = parse_inspect(*body);
  if (!described) co_return unanswered(described.error());
  co_return described;
}

}  // namespace docker
