#include "programs/guest_agent/status_page.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/unique_fd.hpp"
#include "http/message.hpp"
#include "http/server.hpp"
#include "net/address.hpp"
#include "programs/guest_agent/controller.hpp"
#include "programs/guest_agent/page_access.hpp"
#include "programs/guest_agent/status_server.hpp"

namespace guest_agent {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds encode_pause = 100ms;
constexpr std::chrono::milliseconds longest_age = 1s;
constexpr auto kept_for = 2s;
constexpr std::size_t most_streams = 32, most_streams_of_one = 16;
// A stream keeps its connection, and a browser has up to six beside it.
constexpr http::server_limits limits{
    .connections = 128, .header_bytes = 8 << 10, .body_bytes = 1 << 10, .request = 5s, .idle = 5s, .write = 5s};

async::task<http::answer> handle(status_page* page, http::incoming in) { co_return page->answer(in); }

encoded_status encode_metrics(const controller& middle) { return {describe_metrics(middle.view()), middle.changes()}; }

}  // namespace

status_page::status_page(const async::executor& where, controller& middle, const net::address& at)
    : middle_(middle), at_(at), places_(most_streams, most_streams_of_one), is_kept_(where) {}

async::task<> status_page::serve(base::unique_fd listening) {
  status_page* const self = this;
  const http::handler handler = [self](http::incoming in) { return handle(self, std::move(in)); };
  async::task_group tasks(co_await async::asio::this_coro::executor);
  tasks.spawn("status page texts", forget_texts());
  co_await tasks.run_beside(http::serve(std::move(listening), handler, limits));
}

http::answer status_page::answer(const http::incoming& in) {
  auto refused = deny(in.head, at_);
  http::answer made = refused ? http::answer{std::move(*refused), {}} : route(in);
  protect(made.head);
  return made;
}

http::answer status_page::route(const http::incoming& in) {
  const std::string_view path = std::string_view(in.head.target).substr(0, in.head.target.find('?'));
  if (path == "/") {
    http::response page{200, {{"Content-Type", "text/html; charset=utf-8"}}, page_.html};
    page.headers["Content-Security-Policy"] = page_.policy;
    return {std::move(page), {}};
  }
  if (path == "/v1/status") return {answer_status(read(status_, encode_status).text.str()), {}};
  if (path == "/metrics") return {answer_metrics(read(metrics_, encode_metrics).text.str()), {}};
  if (path == "/v1/status/watch") return watch(in);
  return {http::text_response(404, "404 page not found"), {}};
}

http::answer status_page::watch(const http::incoming& in) {
  if (in.head.method == "HEAD") return {answer_watch(), {}};
  if (!places_.has_room(in.peer)) {
    auto full = http::text_response(503, "too many pages are open");
    full.headers["Retry-After"] = "10";
    return {std::move(full), {}};
  }
  http::answer made{answer_watch(), {}};
  status_page* const self = this;
  made.stream = [self, peer = in.peer](http::stream_writer write) { return self->stream(std::move(write), peer); };
  return made;
}

async::task<> status_page::stream(http::stream_writer write, std::string peer) {
  const auto place = places_.take(peer);
  if (!place) co_return;
  status_page* const self = this;
  const status_reader shared = [self] { return self->read(self->status_, encode_status); };
  co_await stream_documents(middle_, std::move(write), shared);
}

encoded_status status_page::read(kept_text& kept, encoded_status (*encode)(const controller&)) {
  const auto now = async::clock::now();
  const auto age = now - kept.encoded_at;
  const bool unchanged = kept.last.changes == middle_.changes();
  if (!kept.last.text.empty() && age < (unchanged ? longest_age : encode_pause)) return kept.last;
  kept = {encode(middle_), now};
  is_kept_.notify_all();
  return kept.last;
}

// With many ports a text takes megabytes.
async::task<> status_page::forget_texts() {
  while (true) {
    while (status_.last.text.empty() && metrics_.last.text.empty()) co_await is_kept_.wait();
    co_await async::sleep_for(kept_for);
    for (auto* const kept : {&status_, &metrics_})
      if (async::clock::now() - kept->encoded_at >= longest_age) kept->last = {};
  }
}

}  // namespace guest_agent
