#include "programs/host_switch/api_server.hpp"

#include <algorithm>
#include <expected>
#include <initializer_list>
#include <system_error>
#include <utility>

#include "async/first_of.hpp"
#include "async/task.hpp"
#include "base/episode.hpp"
#include "http/server.hpp"
#include "net/endpoint.hpp"
#include "programs/host_switch/network.hpp"

namespace host_switch {

bool may_pass(const std::error_code& why) {
  return std::ranges::any_of(
      std::initializer_list<std::errc>{std::errc::address_in_use, std::errc::address_not_available,
                                       std::errc::file_exists, std::errc::too_many_files_open,
                                       std::errc::too_many_files_open_in_system, std::errc::no_buffer_space,
                                       std::errc::not_enough_memory, std::errc::no_such_device},
      [&](std::errc one) { return why == one; });
}

async::task<> serve_api(network* way, http::handler handle, http::server_limits limits, http::admission admits) {
  const auto where = co_await async::asio::this_coro::executor;
  base::log::episode trouble("api", "cannot listen api=" + net::to_string(way->api()));
  while (true) {
    auto from = way->listen_for_api(where);
    trouble.note(from ? base::result<>{} : std::unexpected(from.error()));
    if (from)
      co_await async::first_of(http::serve(std::move(*from), handle, limits, admits), way->api_moves());
    else
      co_await way->api_may_return();
  }
}

}  // namespace host_switch
