#include "programs/host_switch/link_source.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/condition.hpp"
#include "async/task.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/datagram_link.hpp"
#include "link/handshake/host_side.hpp"
#include "link/handshake/meeting_point.hpp"
#include "link/link_url.hpp"
#include "link/offload_agreement.hpp"
#include "link/stream_link.hpp"
#include "net/stream_address.hpp"
#include "os/acceptor.hpp"
#include "os/socket_facts.hpp"
#include "os/unix_listener.hpp"
#include "programs/host_switch/connect_request.hpp"
#include "translator/link_port.hpp"
#include "translator/translator.hpp"

namespace host_switch {
namespace {

constexpr async::clock::duration after_a_failure = std::chrono::seconds(1);
constexpr std::chrono::milliseconds between_datagram_links(50);
constexpr mode_t owner_alone = 0177;  // umask

// Whether a link has ended, as reported by the data plane's thread.
struct link_end {
  explicit link_end(const async::executor& where) : happened(where) {}
  async::condition happened;
  bool over = false;  // control thread only
};

std::function<void(base::error)> announce(const std::shared_ptr<link_end>& end, const async::executor& where,
                                          const std::string& name) {
  return [end, where, name](const base::error& why) {
    async::asio::post(where, [end, name, why] {
      base::log::info("link", "link ended url={} reason=\"{}\"", name, why.message());
      end->over = true;
      end->happened.notify_all();
    });
  };
}

// Replaces a socket file of an earlier run, but no file of another kind.
base::result<base::unique_fd> bind_datagrams(const std::string& path) {
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode))
    return base::fail(std::errc::file_exists, "bind " + path);
  ::unlink(path.c_str());
  base::unique_fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto address = net::to_sockaddr(net::stream_address(net::unix_path{path}));
  const auto mask = ::umask(owner_alone);
  const bool bound = fd && ::bind(fd.get(), address.get(), address.size) == 0;
  auto failed = base::fail_errno("bind " + path);
  ::umask(mask);
  if (!bound) return failed;
  return fd;
}

links::stream_options stream_options_of(links::link_kind kind) {
  const bool ours = kind != links::link_kind::qemu;
  return {.how = links::framing_of(kind), .offload = ours ? links::offload_role::host : links::offload_role::none};
}

}  // namespace

base::result<link_source> link_source::open(links::link_url url, translator::translator& to) {
  link_source made(std::move(url), to);
  if (made.url_.kind == links::link_kind::unix_stream || made.url_.kind == links::link_kind::qemu) {
    auto claimed = os::unix_listener::claim(made.url_.path);
    if (!claimed) return std::unexpected(claimed.error());
    made.listener_ = std::make_unique<os::unix_listener>(std::move(*claimed));
  }
  if (made.url_.kind == links::link_kind::descriptor && !os::socket_type(static_cast<int>(made.url_.number)))
    return base::fail(made.name() + " is not an inherited socket");
  return made;
}

async::task<> link_source::carry(translator::any_link link, bool waits) {
  const auto where = co_await async::asio::this_coro::executor;
  const auto end = std::make_shared<link_end>(where);
  const auto added = to_->add_link(std::move(link), announce(end, where, name()));
  if (!added) {
    base::log::warn("link", "refused a link url={} reason=\"{}\"", name(), added.error().message());
    co_return co_await async::sleep_for(after_a_failure);
  }
  base::log::info("link", "link begins url={}", name());
  while (waits && !end->over) co_await end->happened.wait();
}

async::task<> link_source::serve_listener() {
  base::unique_fd copy(::fcntl(listener_->fd(), F_DUPFD_CLOEXEC, 0));
  os::socket_acceptor from(co_await async::asio::this_coro::executor, std::move(copy), "link");
  while (true) {
    auto client = co_await from.accept();
    if (url_.kind == links::link_kind::unix_stream && !co_await skip_connect_request(client.fd.get())) continue;
    co_await carry(links::stream_link(std::move(client.fd), stream_options_of(url_.kind)), false);
  }
}

async::task<> link_source::serve_handshakes() {
  handshake::host_side vm(handshake::meeting_point(url_), true);
  while (true) {
    auto fd = co_await vm.meet();
    co_await carry(links::stream_link(std::move(fd), stream_options_of(url_.kind)), true);
  }
}

async::task<base::unique_fd> link_source::bind_in_time() {
  base::log::episode trouble("link", "cannot listen url=" + name());
  while (true) {
    auto fd = bind_datagrams(url_.path);
    trouble.note(fd ? base::result<>{} : std::unexpected(fd.error()));
    if (fd) co_return std::move(*fd);
    co_await async::sleep_for(after_a_failure);
  }
}

// One socket for all links: what the next VM sends before the end of the last link waits in it.
async::task<> link_source::serve_datagrams() {
  const auto bound = co_await bind_in_time();
  while (true) {
    co_await carry(links::datagram_link(base::unique_fd(::fcntl(bound.get(), F_DUPFD_CLOEXEC, 0))), true);
    co_await async::sleep_for(between_datagram_links);
  }
}

async::task<> link_source::serve_descriptor() {
  base::unique_fd fd(static_cast<int>(url_.number));
  ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  if (os::socket_type(fd.get()) == SOCK_STREAM)
    co_await carry(links::stream_link(std::move(fd), stream_options_of(url_.kind)), true);
  else
    co_await carry(links::datagram_link(std::move(fd)), true);
}

async::task<> link_source::serve() {
  switch (url_.kind) {
    case links::link_kind::unix_stream:
    case links::link_kind::qemu: return serve_listener();
    case links::link_kind::unix_datagram: return serve_datagrams();
    case links::link_kind::descriptor: return serve_descriptor();
    case links::link_kind::vsock:
    case links::link_kind::handshake: break;
  }
  return serve_handshakes();
}

}  // namespace host_switch
