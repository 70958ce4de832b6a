#include "os/resolve.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <expected>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"

namespace os {
namespace {

constexpr int most_lookups = 16;
std::atomic<int> lookups_under_way{0};

// Shared by the caller and the thread.
struct lookup {
  std::string host;
  std::uint16_t port = 0;
  base::result<std::vector<net::endpoint>> found;
  std::atomic<bool> done{false};  // the thread owns `found` until then
  base::unique_fd finished;       // the thread closes it when it is done, which wakes the caller
};

base::result<std::vector<net::endpoint>> look_up(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (failed == EAI_SYSTEM) return base::fail_errno("resolve " + host);
  if (failed != 0) return base::fail("resolve " + host + ": " + ::gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  std::vector<net::endpoint> found;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    net::socket_address at;
    std::memcpy(&at.storage, entry->ai_addr, entry->ai_addrlen);
    if (const auto known = net::from_sockaddr(at)) found.push_back({known->ip, port});
  }
  if (found.empty()) return base::fail("resolve " + host + ": no address");
  return found;
}

void run(const std::shared_ptr<lookup>& work) {
  work->found = look_up(work->host, work->port);
  work->done = true;
  --lookups_under_way;
  work->finished.reset();
}

base::result<> start(const std::shared_ptr<lookup>& work) {
  if (++lookups_under_way > most_lookups) {
    --lookups_under_way;
    return base::fail(std::errc::resource_unavailable_try_again, "resolve " + work->host);
  }
  try {
    std::thread([work] { run(work); }).detach();
  } catch (const std::system_error& e) {
    --lookups_under_way;
    return base::fail(e.code(), "resolve " + work->host);
  }
  return {};
}

}  // namespace

async::task<base::result<std::vector<net::endpoint>>> resolve(std::string host, std::uint16_t port) {
  if (const auto numeric = net::address::parse(host)) co_return std::vector{net::endpoint{*numeric, port}};
  auto work = std::make_shared<lookup>();
  work->host = std::move(host);
  work->port = port;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) co_return base::fail_errno("pipe");
  async::asio::posix::stream_descriptor finished(co_await async::asio::this_coro::executor, ends[0]);
  work->finished.reset(ends[1]);
  if (auto started = start(work); !started) co_return std::unexpected(started.error());
  co_await finished.async_wait(async::asio::posix::stream_descriptor::wait_read, async::nothrow);
  co_await async::check_cancelled();
  if (!work->done) co_return base::fail("resolve " + work->host + ": interrupted");
  co_return std::move(work->found);
}

}  // namespace os
