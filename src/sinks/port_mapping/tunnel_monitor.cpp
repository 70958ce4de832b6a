#include "sinks/port_mapping/tunnel_monitor.hpp"

#include <net/if.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "kernel/netlink/address_watch.hpp"
#include "kernel/netlink/interface_addresses.hpp"
#include "net/endpoint.hpp"
#include "sinks/port_mapping/message_sender.hpp"
#include "sinks/port_mapping/peer_monitor.hpp"

namespace port_mapping_peer {
namespace {

constexpr std::string_view component = "port-mapping";

std::string to_text(const connect_addresses& addresses) {
  std::string text;
  for (const auto& a : addresses) text += " " + a.ip.to_string() + "/" + std::to_string(a.prefix_length);
  return text;
}

}  // namespace

tunnel_monitor::tunnel_monitor(const async::executor& where, tunnel_monitor_options options)
    : where_(where), options_(std::move(options)), news_(where), tasks_(where) {
  auto watch = netlink::address_watch::open(where);
  if (watch) watch_ = std::make_unique<netlink::address_watch>(std::move(*watch));
  if (watch_)
    tasks_.spawn("addresses", follow_addresses());
  else
    base::log::warn(component, "cannot watch for address changes, polling reason=\"{}\"", watch.error().message());
}

async::task<> tunnel_monitor::follow_addresses() {
  while (true) {
    co_await watch_->changed();
    news_.notify_all();
  }
}

base::result<connect_addresses> tunnel_monitor::read_addresses() const {
  const auto found = netlink::addresses_of(options_.interface);
  if (!found) return std::unexpected(found.error());
  connect_addresses made;
  for (const auto& a : *found) made.push_back({a.ip, a.prefix_length});
  if (made.empty() && ::if_nametoindex(options_.interface.c_str()) == 0)
    return base::fail("there is no interface " + options_.interface);
  if (made.empty()) return base::fail("interface " + options_.interface + " has no address");
  return made;
}

// The peer sends nothing; unexpected bytes are dropped.
async::task<> tunnel_monitor::follow(stream_ptr standing) {
  std::array<char, 256> ignored;
  boost::system::error_code ec;
  while (!ec) {
    ec = std::get<0>(co_await standing->async_read_some(boost::asio::buffer(ignored), async::nothrow));
    co_await async::check_cancelled();
  }
  if (standing_ == standing) standing_.reset();
  news_.notify_all();
}

async::task<> tunnel_monitor::broken() {
  while (standing_) co_await news_.wait();
}

async::task<base::result<>> tunnel_monitor::open_standing() {
  const auto nowhere = base::fail(std::errc::connection_aborted,
                                  "connect " + net::to_string(options_.peer) + ": the tunnel leads nowhere");
  auto made = co_await open_stream(options_.peer, async::clock::now() + options_.deadline);
  if (!made && made.error().code == std::errc::connection_reset) co_return nowhere;  // as soon as it was accepted
  if (!made) co_return std::unexpected(made.error());
  standing_ = std::move(*made);
  tasks_.spawn("standing connection", follow(standing_));
  static_cast<void>(co_await async::within(options_.breaks_within, broken()));
  if (!standing_) co_return nowhere;
  ++connections_;
  co_return base::result<>{};
}

async::task<base::result<std::string>> tunnel_monitor::check() {
  auto addresses = read_addresses();
  if (!addresses) co_return std::unexpected(addresses.error());
  if (!standing_)
    if (auto connected = co_await open_standing(); !connected) co_return std::unexpected(connected.error());
  if (addresses_ != *addresses) base::log::info(component, "the host connects to{}", to_text(*addresses));
  addresses_ = std::move(*addresses);
  last_check_ = async::clock::now();
  co_return "connection " + std::to_string(connections_) + " to" + to_text(addresses_);
}

void tunnel_monitor::suspect() {
  boost::system::error_code ignored;
  if (standing_) standing_->close(ignored);
  standing_.reset();
}

bool tunnel_monitor::has_addresses() const {
  const auto addresses = read_addresses();
  return addresses && *addresses == addresses_;
}

// Another standing connection may be open already when this one ends.
async::task<> tunnel_monitor::changed() {
  const auto watched = standing_;
  while (watched && standing_ == watched && has_addresses()) co_await news_.wait();
  if (!standing_ && async::clock::now() < last_check_ + options_.between_checks)
    co_await async::sleep_for(last_check_ + options_.between_checks - async::clock::now());
}

// A reset says that a program in the tunnel could not pass the message on, or did not read all of it. In the first case
// the standing connection breaks as well, now or in a moment.
async::task<bool> tunnel_monitor::is_alive(bool refused) {
  if (refused) static_cast<void>(co_await async::within(options_.breaks_within, broken()));
  co_return standing_ != nullptr;
}

}  // namespace port_mapping_peer
