#include "link/handshake/vm_side.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <expected>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/handshake/meeting_point.hpp"
#include "link/handshake/phrase.hpp"
#include "link/handshake/ready.hpp"
#include "os/acceptor.hpp"
#include "os/connect.hpp"

namespace handshake {
namespace {

namespace log = base::log;
using descriptor = boost::asio::posix::stream_descriptor;

constexpr const char* component = "handshake";

// Reads until the answer has reached `wanted`, or cannot. End of file is not an error: the host closes.
async::task<base::result<>> read_until(descriptor* stream, ready_reader* answer, ready_reader::state wanted) {
  auto now = answer->feed({});
  std::array<char, 64> bytes;
  while (now < wanted) {
    const auto [ec, got] = co_await stream->async_read_some(boost::asio::buffer(bytes), async::nothrow);
    co_await async::check_cancelled();
    if (ec) break;
    now = answer->feed({bytes.data(), got});
  }
  if (now == ready_reader::state::reading) co_return base::fail("the connection has ended before READY");
  if (now == ready_reader::state::wrong) co_return base::fail("the answer is not READY");
  co_return base::result<>{};
}

}  // namespace

vm_side::vm_side(const async::executor& where, meeting_point at)
    : at_(std::move(at)), ready_(where), trouble_(component, "no data connection link=" + at_.name()) {}

async::task<base::result<ready_reader>> vm_side::read_answer(base::unique_fd fd) {
  send_phrase(fd.get(), network_phrase);
  descriptor stream(co_await async::asio::this_coro::executor, fd.release());
  ready_reader answer;
  const auto ready = co_await async::within(patience, read_until(&stream, &answer, ready_reader::state::ready));
  if (!ready) co_return std::unexpected(ready.error());
  static_cast<void>(
      co_await async::within(offer_patience, read_until(&stream, &answer, ready_reader::state::complete)));
  co_return answer;
}

async::task<> vm_side::greet(os::accepted guest) {
  const bool is_host = at_.is_peer(guest.fd.get());
  if (!is_host || guests_ == most_guests) {
    log::throttled(strangers_, log::level::warn, component, "refused a connection reason=\"{}\"",
                   is_host ? "too many" : "not the host");
    co_return;
  }
  ++guests_;
  const auto answer = co_await read_answer(std::move(guest.fd));
  --guests_;
  if (!answer) {
    log::debug(component, "no handshake reason=\"{}\"", answer.error().message());
    co_return;
  }
  answer_ = *answer;
  ready_.notify_all();
}

async::task<> vm_side::serve(os::socket_acceptor& from, async::task_group& guests) {
  while (true) {
    auto guest = co_await from.accept();
    guests.spawn("handshake guest", greet(std::move(guest)));
  }
}

async::task<> vm_side::until_ready() {
  while (!answer_) co_await ready_.wait();
}

async::task<base::result<>> vm_side::wait_for_host() {
  const auto listener = meeting_listener::open(at_.handshake_listener());
  if (!listener) co_return std::unexpected(listener.error());
  auto listening = listener->duplicate();
  if (!listening) co_return std::unexpected(listening.error());
  answer_.reset();
  guests_ = 0;
  const auto where = co_await async::asio::this_coro::executor;
  os::socket_acceptor from(where, std::move(*listening), component);
  async::task_group guests(where);
  guests.spawn("handshake", serve(from, guests));
  co_await guests.run_beside(until_ready());
  co_return base::result<>{};
}

async::task<data_connection> vm_side::meet() {
  while (true) {
    auto met = co_await wait_for_host();
    if (met) {
      auto connected = co_await os::connect_to(at_.data(), async::clock::now() + connect_limit);
      if (connected) {
        trouble_.note({});
        const bool offers = answer_ && answer_->offers_offload();
        log::throttled(meetings_, log::level::info, component, "data connection link={} offload_offered={}", at_.name(),
                       offers);
        co_return data_connection{std::move(*connected), offers};
      }
      met = std::unexpected(connected.error());
    }
    trouble_.note(met);
    co_await async::sleep_for(between_tries);
  }
}

}  // namespace handshake
