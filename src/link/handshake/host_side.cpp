#include "link/handshake/host_side.hpp"

#include <sys/socket.h>

#include <expected>
#include <string>
#include <utility>

#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/handshake/meeting_point.hpp"
#include "link/handshake/phrase.hpp"
#include "link/handshake/ready.hpp"
#include "os/acceptor.hpp"

namespace handshake {
namespace {

constexpr const char* component = "handshake";

}  // namespace

host_side::host_side(meeting_point at, bool offers_offload)
    : at_(std::move(at)), offers_offload_(offers_offload), trouble_(component, "no VM link=" + at_.name()) {}

async::task<base::result<base::unique_fd>> host_side::accept_vm(base::unique_fd listening) {
  os::socket_acceptor from(co_await async::asio::this_coro::executor, std::move(listening), component);
  while (true) {
    auto client = co_await from.accept();
    if (at_.is_peer(client.fd.get())) co_return std::move(client.fd);
  }
}

// The VM's side answers each connection with the phrase and then reads, so one connection serves for both.
async::task<base::result<base::unique_fd>> host_side::meet_once() {
  auto vm = co_await expect_phrase(at_.handshake(), network_phrase, phrase_limit);
  if (!vm) co_return vm;
  const auto listener = meeting_listener::open(at_.data_listener());
  if (!listener) co_return std::unexpected(listener.error());
  auto listening = listener->duplicate();
  if (!listening) co_return listening;
  const auto message = ready_message(offers_offload_);
  if (::send(vm->get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    co_return base::fail_errno("handshake with " + at_.name());
  vm->reset();
  auto accepted = co_await async::within(data_limit, accept_vm(std::move(*listening)));
  if (!accepted) accepted.error().context = "data connection of " + at_.name();
  co_return accepted;
}

async::task<base::unique_fd> host_side::meet() {
  while (true) {
    auto met = co_await meet_once();
    trouble_.note(met ? base::result<>{} : std::unexpected(met.error()));
    if (met) {
      base::log::throttled(meetings_, base::log::level::info, component, "data connection link={}", at_.name());
      co_return std::move(*met);
    }
    co_await async::sleep_for(between_tries);
  }
}

}  // namespace handshake
