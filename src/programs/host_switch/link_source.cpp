#include "programs/host_switch/link_source.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/condition.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/backoff.hpp"
#include "base/episode.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/datagram_link.hpp"
#include "link/handshake/host_side.hpp"
#include "link/handshake/meeting_point.hpp"
#include "link/line_limit.hpp"
#include "link/link_url.hpp"
#include "link/offload_agreement.hpp"
#include "link/stream_link.hpp"
#include "os/acceptor.hpp"
#include "os/claimed_unix_path.hpp"
#include "os/socket_facts.hpp"
#include "programs/host_switch/connect_request.hpp"
#include "translator/link_port.hpp"
#include "translator/link_ports.hpp"
#include "translator/translator.hpp"

namespace host_switch {
namespace {

namespace log = base::log;

constexpr std::chrono::seconds short_life(1);  // of a link: its VM ended it, and may do the same with the next one
// After links that lived shortly. The cap keeps a VM that returns from a long wait.
constexpr base::backoff pauses{
    .first = std::chrono::milliseconds(100), .cap = std::chrono::milliseconds(1'000), .jitter = 0};

// Whether a link has ended, as reported by the data plane's thread.
struct link_end {
  explicit link_end(const async::executor& where) : happened(where) {}
  async::condition happened;
  bool over = false;  // control thread only
};

links::stream_options stream_options_of(links::link_kind kind) {
  const bool ours = kind != links::link_kind::qemu;
  return {.how = links::framing_of(kind), .offload = ours ? links::offload_role::host : links::offload_role::none};
}

}  // namespace

// What a peer can provoke again and again is logged a few times a minute, with a count.
struct link_source::lines {
  log::throttle begins = links::line_limit(), ends = links::line_limit(), refusals, newcomers;
};

link_source::link_source(links::link_url url, translator::translator& to)
    : url_(std::move(url)), to_(&to), lines_(std::make_shared<lines>()) {}

base::result<> link_source::check_descriptors(const std::vector<links::link_url>& all) {
  std::set<std::uint32_t> numbers;
  for (const auto& one : all) {
    if (one.kind != links::link_kind::descriptor) continue;
    if (!os::socket_type(static_cast<int>(one.number)))
      return base::fail("-listen: " + links::to_string(one) + " is not an inherited socket");
    if (!numbers.insert(one.number).second) return base::fail("-listen: " + links::to_string(one) + " is given twice");
  }
  return {};
}

base::result<link_source> link_source::open(links::link_url url, translator::translator& to) {
  link_source made(std::move(url), to);
  const auto kind = made.url_.kind;
  const bool datagrams = kind == links::link_kind::unix_datagram;
  if (datagrams || kind == links::link_kind::unix_stream || kind == links::link_kind::qemu) {
    auto claimed = datagrams ? os::claimed_unix_path::claim_datagrams(made.url_.path)
                             : os::claimed_unix_path::claim(made.url_.path);
    if (!claimed) return std::unexpected(claimed.error());
    made.listener_ = std::make_unique<os::claimed_unix_path>(std::move(*claimed));
  }
  return made;
}

std::function<void(base::error)> link_source::announce(const async::executor& where, std::function<void()> over) const {
  return [where, name = name(), lines = lines_, over = std::move(over)](const base::error& why) {
    async::asio::post(where, [name, lines, over, why] {
      log::throttled(lines->ends, log::level::info, "link", "link ended url={} reason=\"{}\"", name, why.message());
      over();
    });
  };
}

bool link_source::add(translator::any_link link, translator::silence of_peer, const async::executor& where,
                      std::function<void()> over) {
  const auto added = to_->add_link(std::move(link), of_peer, announce(where, std::move(over)));
  if (added)
    log::throttled(lines_->begins, log::level::info, "link", "link begins url={}", name());
  else
    log::throttled(lines_->refusals, log::level::warn, "link", "refused a link url={} reason=\"{}\"", name(),
                   added.error().message());
  return added.has_value();
}

void link_source::add_peer(base::unique_fd peer, const async::executor& where) {
  links::stream_link link(std::move(peer), stream_options_of(url_.kind));
  add(std::move(link), translator::silence::gives_the_place, where, [] {});
}

async::task<> link_source::carry(translator::any_link link) {
  const auto where = co_await async::asio::this_coro::executor;
  const auto began = async::clock::now();
  const auto end = std::make_shared<link_end>(where);
  const bool added = add(std::move(link), translator::silence::keeps_the_place, where, [end] {
    end->over = true;
    end->happened.notify_all();
  });
  while (added && !end->over) co_await end->happened.wait();
  short_links_ = async::clock::now() - began < short_life ? short_links_ + 1 : 0;
  co_await async::sleep_for(pauses.delay(short_links_, 0));
}

// A newcomer's descriptor is closed to make room for the next one; its task finds that at its next look.
async::task<> link_source::greet(std::shared_ptr<base::unique_fd> newcomer) {
  const auto where = co_await async::asio::this_coro::executor;
  const bool comes = co_await skip_connect_request(*newcomer);
  std::erase(newcomers_, newcomer);
  if (comes) add_peer(std::move(*newcomer), where);
}

void link_source::make_room_for_a_newcomer() {
  if (newcomers_.size() < most_newcomers) return;
  log::throttled(lines_->newcomers, log::level::warn, "link",
                 "closed a connection url={} reason=\"its request has no end\"", name());
  newcomers_.front()->reset();
  newcomers_.pop_front();
}

async::task<> link_source::accept_links(os::acceptor* from, async::task_group* greetings) {
  while (true) {
    auto client = co_await from->accept();
    if (url_.kind == links::link_kind::qemu) {
      const auto where = co_await async::asio::this_coro::executor;
      add_peer(std::move(client.fd), where);
      continue;
    }
    make_room_for_a_newcomer();
    newcomers_.push_back(std::make_shared<base::unique_fd>(std::move(client.fd)));
    greetings->spawn("greeting", greet(newcomers_.back()));
  }
}

async::task<> link_source::serve_listener() {
  const auto where = co_await async::asio::this_coro::executor;
  base::unique_fd copy(::fcntl(listener_->fd(), F_DUPFD_CLOEXEC, 0));
  os::socket_acceptor from(where, std::move(copy), "link");
  async::task_group greetings(where);
  co_await greetings.run_beside(accept_links(&from, &greetings));
}

async::task<> link_source::serve_handshakes() {
  handshake::host_side vm(handshake::meeting_point(url_), true);
  while (true) {
    auto fd = co_await vm.meet();
    co_await carry(links::stream_link(std::move(fd), stream_options_of(url_.kind)));
  }
}

// One socket for all links: what the next VM sends before the end of the last link waits in it.
async::task<> link_source::serve_datagrams() {
  while (true) co_await carry(links::datagram_link(base::unique_fd(::fcntl(listener_->fd(), F_DUPFD_CLOEXEC, 0))));
}

async::task<> link_source::serve_descriptor() {
  base::unique_fd fd(static_cast<int>(url_.number));
  ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  if (os::socket_type(fd.get()) == SOCK_STREAM)
    co_await carry(links::stream_link(std::move(fd), stream_options_of(url_.kind)));
  else
    co_await carry(links::datagram_link(std::move(fd)));
}

async::task<> link_source::serve() {
  switch (url_.kind) {
    case links::link_kind::unix_stream:
    case links::link_kind::qemu: return serve_listener();
    case links::link_kind::unix_datagram: return serve_datagrams();
    case links::link_kind::descriptor: return serve_descriptor();
    case links::link_kind::vsock:
    case links::link_kind::handshake:
    case links::link_kind::firecracker: break;
  }
  return serve_handshakes();
}

}  // namespace host_switch
