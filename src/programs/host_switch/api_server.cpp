#include "programs/host_switch/api_server.hpp"

#include <algorithm>
#include <utility>

#include "async/first_of.hpp"
#include "async/timeout.hpp"
#include "base/episode.hpp"
#include "kernel/netlink/address_watch.hpp"

namespace host_switch {
namespace {

using namespace std::chrono_literals;

constexpr auto between_tries = 500ms;
constexpr auto between_looks = 10s;  // where the kernel does not announce addresses

using watch_ptr = std::shared_ptr<netlink::address_watch>;

async::task<> news_of(watch_ptr watch, async::clock::duration limit) {
  if (!watch) co_return co_await async::sleep_for(std::min<async::clock::duration>(limit, 1s));
  static_cast<void>(co_await async::within(limit, watch->changed()));
}

// Returns when the API's address has moved to another interface. An unreadable list of interfaces says nothing.
async::task<> until_moved(watch_ptr watch, net::address api, std::optional<api_device> from) {
  while (true) {
    const auto now = find_device(api);
    if (now && *now != from) co_return;
    co_await news_of(watch, between_looks);
  }
}

watch_ptr open_watch(const async::executor& where) {
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

async::task<> serve_api(kernel_network* network, http::handler handle, http::server_limits limits,
                        http::admission admits) {
  const auto watch = open_watch(co_await async::asio::this_coro::executor);
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
    co_await async::first_of(http::serve(std::move(*listener), handle, limits, admits),
                             until_moved(watch, network->api().ip, *device));
  }
}

}  // namespace host_switch
