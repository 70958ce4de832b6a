#include "programs/host_switch/dns_service.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "async/timeout.hpp"
#include "base/log.hpp"
#include "base/read_file.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "netstack/bytes.hpp"
#include "netstack/dns/hosts_file.hpp"
#include "netstack/dns/pending.hpp"
#include "netstack/dns/server.hpp"
#include "netstack/dns/tcp_questions.hpp"
#include "netstack/dns/zones.hpp"
#include "netstack/ipv4.hpp"
#include "os/acceptor.hpp"
#include "os/file_watch.hpp"
#include "translator/dns_port.hpp"

namespace host_switch {
namespace {

namespace dns = netstack::dns;
using wait_kind = async::asio::posix::stream_descriptor;

constexpr std::size_t largest_record = 65'535 + translator::dns_record_head;
constexpr int questions_at_once = 32;  // before other tasks have their turn
constexpr async::clock::duration idle_stream = std::chrono::seconds(30);
constexpr async::clock::duration failed_pause = std::chrono::seconds(30);  // before an unreadable file is read again

dns::client udp_client(netstack::bytes_view record) {
  const auto asker = translator::dns_asker_of(record);
  return {.address = asker.address, .port = asker.port, .connection = 0, .transport = dns::transport::udp};
}

}  // namespace

dns_service::dns_service(const async::executor& where, dns::settings settings, dns::zones zones, dns_files files,
                         base::unique_fd datagrams, std::function<void(const std::vector<std::string>&)> domains)
    : files_(std::move(files)),
      domains_(std::move(domains)),
      server_(std::move(settings), std::move(zones)),
      upstream_(where, files_.resolv_conf),
      datagrams_(where, datagrams.release()),
      hosts_trouble_("dns", "cannot read the hosts file"),
      asked_(where) {
  read_hosts();
}

void dns_service::read_hosts() {
  const auto text = base::read_file(files_.hosts, {.bytes = dns::hosts_file::most_bytes});
  const bool absent = !text && text.error().code == std::errc::no_such_file_or_directory;
  hosts_trouble_.note(text || absent ? base::result<>{} : std::unexpected(text.error()));
  if (text || absent) server_.set_hosts(dns::hosts_file::parse(text.value_or("")));
}

void dns_service::read_resolver() {
  upstream_.renew();
  domains_(upstream_.search_domains());
}

void dns_service::send(const dns::answer& a) {
  if (a.to.transport == dns::transport::tcp) {
    const auto at = streams_.find(a.to.connection);
    if (at == streams_.end()) return;
    const auto framed = dns::with_length(a.bytes);
    const auto sent = ::send(at->second->native_handle(), framed.data(), framed.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(framed.size())) ::shutdown(at->second->native_handle(), SHUT_RDWR);
    return;
  }
  auto head = translator::dns_head_of({a.to.address, a.to.port});
  std::array<iovec, 2> parts{{{head.data(), head.size()}, {const_cast<std::uint8_t*>(a.bytes.data()), a.bytes.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  static_cast<void>(::sendmsg(datagrams_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

void dns_service::on_question(const dns::client& from, netstack::bytes_view bytes) {
  auto outcome = server_.on_question(from, bytes, async::clock::now());
  if (const auto* const answered = std::get_if<dns::answer>(&outcome)) return send(*answered);
  const auto* const ask = std::get_if<dns::ask_upstream>(&outcome);
  if (ask == nullptr) return;
  asked_.notify_all();
  upstream_.ask(ask->question, from.transport == dns::transport::tcp, [this, token = ask->token](auto bytes_or_none) {
    if (const auto answered = server_.on_upstream(token, bytes_or_none)) send(*answered);
  });
}

async::task<> dns_service::serve_datagrams() {
  std::vector<std::uint8_t> record(largest_record);
  while (true) {
    co_await datagrams_.async_wait(wait_kind::wait_read, async::nothrow);
    co_await async::check_cancelled();
    for (int i = 0; i < questions_at_once; ++i) {
      const auto got = ::recv(datagrams_.native_handle(), record.data(), record.size(), MSG_DONTWAIT);
      if (got == 0) co_return;  // the data plane has ended
      if (got < static_cast<ssize_t>(translator::dns_record_head)) break;
      const netstack::bytes_view all(record.data(), static_cast<std::size_t>(got));
      on_question(udp_client(all), all.subspan(translator::dns_record_head));
    }
    co_await async::yield();
  }
}

async::task<> dns_service::serve_stream(std::uint64_t id, std::shared_ptr<descriptor> stream, dns::client from) {
  dns::tcp_questions questions;
  std::array<std::uint8_t, dns::tcp_questions::most_message> buffer{};
  while (!questions.is_broken()) {
    const auto ready =
        co_await async::within(idle_stream, stream->async_wait(wait_kind::wait_read, async::asio::use_awaitable));
    if (!ready) break;
    const auto got = ::recv(stream->native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0 || !questions.add({buffer.data(), static_cast<std::size_t>(got)})) break;
    while (const auto next = questions.next()) on_question(from, *next);
  }
  server_.forget(id);
  streams_.erase(id);
}

async::task<> dns_service::serve_streams(std::unique_ptr<os::acceptor> from) {
  const auto where = co_await async::asio::this_coro::executor;
  async::task_group connections(where);
  while (true) {
    auto client = co_await from->accept();
    if (!client.peer) continue;
    if (streams_.size() >= most_connections) ::shutdown(streams_.begin()->second->native_handle(), SHUT_RDWR);
    const auto id = ++last_stream_;
    auto stream = std::make_shared<descriptor>(where, client.fd.release());
    streams_[id] = stream;
    const dns::client asks{.address = netstack::ipv4::from_net(client.peer->ip),
                           .port = client.peer->port,
                           .connection = id,
                           .transport = dns::transport::tcp};
    connections.spawn("dns connection", serve_stream(id, std::move(stream), asks));
  }
}

async::task<> dns_service::watch_resolver() {
  os::file_watch watch(co_await async::asio::this_coro::executor, files_.resolv_conf);
  domains_(upstream_.search_domains());
  while (true) {
    co_await watch.changed();
    read_resolver();
    base::log::debug("dns", "resolver read again file={}", files_.resolv_conf);
  }
}

async::task<> dns_service::watch_hosts() {
  os::file_watch watch(co_await async::asio::this_coro::executor, files_.hosts);
  while (true) {
    if (hosts_trouble_.active())
      static_cast<void>(co_await async::within(failed_pause, watch.changed()));
    else
      co_await watch.changed();
    read_hosts();
  }
}

async::task<> dns_service::expire_questions() {
  while (true) {
    if (server_.in_progress() == 0) {
      co_await asked_.wait();
      continue;
    }
    co_await async::sleep_until(server_.wake_at());
    while (const auto failed = server_.next_expired(async::clock::now())) send(*failed);
  }
}

}  // namespace host_switch
