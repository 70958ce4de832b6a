#include "programs/network_setup/link_source.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <expected>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/handshake/meeting_point.hpp"
#include "link/handshake/vm_side.hpp"
#include "link/link_url.hpp"
#include "net/stream_address.hpp"
#include "os/connect.hpp"
#include "os/socket_facts.hpp"

namespace network_setup {
namespace {

using namespace std::chrono_literals;
using links::link_kind;

constexpr auto between_tries = 250ms;
constexpr auto connect_limit = 5s;

bool has_handshake(link_kind kind) { return kind == link_kind::vsock || kind == link_kind::handshake; }

}  // namespace

link_source::link_source(const async::executor& where, const links::link_url& url)
    : url_(url), trouble_("link", "no connection link=" + links::to_string(url)) {
  if (has_handshake(url.kind)) meeting_.emplace(where, handshake::meeting_point(url));
}

base::result<link_source> link_source::open(const async::executor& where, const links::link_url& url) {
  if (!has_handshake(url.kind) && url.kind != link_kind::unix_stream && url.kind != link_kind::descriptor)
    return base::fail("-connect: vm-switch does not speak " + links::to_string(url));
  if (url.kind == link_kind::descriptor && os::socket_type(static_cast<int>(url.number)) != SOCK_STREAM)
    return base::fail("-connect: " + links::to_string(url) + " is not an inherited stream socket");
  return link_source(where, url);
}

async::task<handshake::data_connection> link_source::connect() {
  while (true) {
    auto connected = co_await os::connect_to(net::unix_path{url_.path}, async::clock::now() + connect_limit);
    trouble_.note(connected ? base::result<>{} : std::unexpected(connected.error()));
    if (connected) co_return handshake::data_connection{std::move(*connected), true};
    co_await async::sleep_for(between_tries);
  }
}

async::task<base::result<handshake::data_connection>> link_source::next() {
  if (meeting_) co_return co_await meeting_->meet();
  if (url_.kind == link_kind::unix_stream) co_return co_await connect();
  const auto name = links::to_string(url_);
  if (used_) co_return base::fail(name + " has ended");
  used_ = true;
  base::unique_fd fd(::fcntl(static_cast<int>(url_.number), F_DUPFD_CLOEXEC, 0));
  if (!fd) co_return base::fail_errno(name);
  ::close(static_cast<int>(url_.number));
  co_return handshake::data_connection{std::move(fd), true};
}

}  // namespace network_setup
