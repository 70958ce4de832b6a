#include "hostswitch/api_server.hpp"

#include <algorithm>
#include <utility>

#include "base/episode.hpp"
#include "io/first_of.hpp"
#include "io/timeout.hpp"
#include "netlink/address_watch.hpp"

namespace hostswitch {
namespace {

using namespace std::chrono_literals;

constexpr auto between_tries = 500ms;
constexpr auto between_looks = 10s;  // where the kernel does not announce addresses

using watch_ptr = std::shared_ptr<netlink::address_watch>;

io::task<> news_of(watch_ptr watch, io::clock::duration limit) {
  if (!watch) co_return co_await io::sleep_for(std::min<io::clock::duration>(limit, 1s));
  static_cast<void>(co_await io::within(limit, watch->changed()));
}

// Returns when the API's address has moved to another interface. An unreadable list of interfaces says nothing.
io::task<> until_moved(watch_ptr watch, net::address api, std::optional<api_device> from) {
  while (true) {
    const auto now = find_device(api);
    if (now && *now != from) co_return;
    co_await news_of(watch, between_looks);
  }
}

watch_ptr open_watch(const io::executor& where) {
  auto opened = netlink::address_watch::open(where);
  return opened ? std::make_shared<netlink::address_watch>(std::move(*opened)) : nullptr;
}

}  // namespace

bool may_pass(const std::error_code& why) {
  return std::ranges::any_of(
      std::initializer_list<std::errc>{std::errc::address_in_use, std::errc::address_not_available,
                                       std::errc::file_exists, std::errc::too_many_files_open,
                                       std::errc::too_many_files_open_in_system, std::errc::no_buffer_space,
                                       std::errc::not_enough_memory, std::errc::no_such_device},
      [&](std::errc one) { return why == one; });
}

io::task<> serve_api(kernel_network* network, http::handler handle, http::server_limits limits,
                     http::admission admits) {
  const auto watch = open_watch(co_await io::asio::this_coro::executor);
  base::log::episode trouble("api", "cannot listen api=" + net::to_string(network->api()));
  while (true) {
    const auto device = find_device(network->api().ip);
    auto listener = device ? network->listen_for_api(*device) : std::unexpected(device.error());
    trouble.note(listener ? base::result<>{} : std::unexpected(listener.error()));
    if (!listener) {
      co_await news_of(watch, between_tries);
      continue;
    }
    base::log::info("api", "listening api={} interface={}", net::to_string(network->api()),
                    *device ? (*device)->name : "any");
    co_await io::first_of(http::serve(std::move(*listener), handle, limits, admits),
                          until_moved(watch, network->api().ip, *device));
  }
}

}  // namespace hostswitch
