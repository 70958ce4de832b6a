#include "os/name_channel.hpp"

#include <ares.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/read_file.hpp"
#include "base/result.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"

namespace os {
namespace {

namespace asio = async::asio;
using descriptor = asio::posix::stream_descriptor;

constexpr int first_wait_ms = 1'500;  // for one server; c-ares doubles it with each round
constexpr int rounds = 3;
constexpr std::size_t most_file_bytes = 4 << 20;  // of resolv.conf and of the hosts file, which are read on the loop
constexpr const char* usual_resolv_conf = "/etc/resolv.conf";
constexpr const char* hosts_file = "/etc/hosts";

bool start_library() {
  static const bool started = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
  return started;
}

// A file that is not there is fine.
base::result<> check_file(const std::string& path) {
  auto text = base::read_file(path, {.bytes = most_file_bytes});
  if (text || text.error().code == std::errc::no_such_file_or_directory) return {};
  return std::unexpected(std::move(text.error()));
}

int family_of(address_kinds kinds) {
  switch (kinds) {
    case address_kinds::ipv4: return AF_INET;
    case address_kinds::ipv6: return AF_INET6;
    case address_kinds::both: break;
  }
  return AF_UNSPEC;
}

base::result<std::vector<net::address>> read_addresses(int status, const ares_addrinfo* found) {
  if (status == ARES_ETIMEOUT) return base::fail(std::errc::timed_out, "name servers");
  if (status != ARES_SUCCESS || found == nullptr) return base::fail(ares_strerror(status));
  std::vector<net::address> made;
  for (const auto* node = found->nodes; node != nullptr; node = node->ai_next) {
    net::socket_address at;
    if (node->ai_addrlen > sizeof at.storage) continue;
    std::memcpy(&at.storage, node->ai_addr, node->ai_addrlen);
    if (const auto known = net::from_sockaddr(at)) made.push_back(known->ip);
  }
  if (made.empty()) return base::fail("no address");
  return made;
}

}  // namespace

struct name_channel::watched {
  explicit watched(const async::executor& where, int fd) : stream(where, fd) {}
  watched(const watched&) = delete;
  watched& operator=(const watched&) = delete;
  ~watched() { static_cast<void>(stream.release()); }  // c-ares closes the socket
  descriptor stream;
  bool reads = false, writes = false;            // what c-ares wants
  bool waits_read = false, waits_write = false;  // waits in progress
};

// What c-ares keeps of a question. It keeps the channel alive.
template <class Result>
struct name_channel::question {
  std::shared_ptr<name_channel> channel;
  Result to;
};

name_channel::name_channel(const async::executor& where, const name_settings& settings) : where_(where), timer_(where) {
  std::string file = settings.resolv_conf.value_or("");
  if (auto readable = check_file(file.empty() ? usual_resolv_conf : file); !readable) {
    failure_ = readable.error().message();
    return;
  }
  char lookups[] = "fb";  // the hosts file, then name servers; whatever nsswitch.conf says
  ares_options options{};
  options.flags = settings.by_tcp ? ARES_FLAG_USEVC : (settings.passes_truncated ? ARES_FLAG_IGNTC : 0);
  options.timeout = first_wait_ms;
  options.tries = rounds;
  options.sock_state_cb = &name_channel::on_socket;
  options.sock_state_cb_data = this;
  options.lookups = lookups;
  options.resolvconf_path = file.data();
  const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS |
                   (file.empty() ? 0 : ARES_OPT_RESOLVCONF);
  const int made = start_library() ? ares_init_options(&ares_, &options, mask) : ARES_ENOTINITIALIZED;
  if (made == ARES_SUCCESS) return;
  ares_ = nullptr;
  failure_ = ares_strerror(made);
}

void name_channel::stop() {
  silent_ = true;
  if (ares_ != nullptr) ares_destroy(ares_);
  ares_ = nullptr;
  failure_ = ares_strerror(ARES_EDESTRUCTION);
}

void name_channel::send(message bytes, message_result to) {
  if (ares_ == nullptr) return to(std::nullopt);
  auto* const waiting = new question<message_result>{shared_from_this(), std::move(to)};
  ares_send(ares_, bytes.data(), static_cast<int>(bytes.size()), &name_channel::on_answer, waiting);
  arm_timer();
}

void name_channel::look_up(const std::string& name, address_kinds kinds, address_result to) {
  if (ares_ == nullptr) return to(base::fail(failure_));
  if (auto readable = check_file(hosts_file); !readable) return to(std::unexpected(readable.error()));
  ares_addrinfo_hints hints{};
  hints.ai_family = family_of(kinds);
  hints.ai_socktype = SOCK_STREAM;
  auto* const waiting = new question<address_result>{shared_from_this(), std::move(to)};
  ares_getaddrinfo(ares_, name.c_str(), nullptr, &hints, &name_channel::on_addresses, waiting);
  arm_timer();
}

std::vector<std::string> name_channel::search_domains() const {
  std::vector<std::string> made;
  ares_options options{};
  int mask = 0;
  if (ares_ == nullptr || ares_save_options(ares_, &options, &mask) != ARES_SUCCESS) return made;
  for (int i = 0; i < options.ndomains; ++i) made.emplace_back(options.domains[i]);
  ares_destroy_options(&options);
  return made;
}

// c-ares calls these two exactly once for each question, also from within the calls that ask and ares_destroy().
void name_channel::on_answer(void* waiting, int /*status*/, int /*timeouts*/, unsigned char* bytes, int size) {
  const std::unique_ptr<question<message_result>> done(static_cast<question<message_result>*>(waiting));
  if (done->channel->silent_) return;
  if (bytes == nullptr || size <= 0) return done->to(std::nullopt);
  done->to(message(bytes, static_cast<std::size_t>(size)));
}

void name_channel::on_addresses(void* waiting, int status, int /*timeouts*/, ares_addrinfo* found) {
  const std::unique_ptr<question<address_result>> done(static_cast<question<address_result>*>(waiting));
  const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owner(found, &ares_freeaddrinfo);
  if (!done->channel->silent_) done->to(read_addresses(status, found));
}

void name_channel::on_socket(void* self, ares_socket_t fd, int readable, int writable) {
  static_cast<name_channel*>(self)->watch(fd, readable != 0, writable != 0);
}

// Neither: c-ares is about to close the socket.
void name_channel::watch(int fd, bool readable, bool writable) {
  if (!readable && !writable) {
    const auto at = sockets_.find(fd);
    if (at == sockets_.end()) return;
    static_cast<void>(at->second->stream.release());
    sockets_.erase(at);
    return;
  }
  auto& one = sockets_[fd];
  if (!one) one = std::make_shared<watched>(where_, fd);
  one->reads = readable;
  one->writes = writable;
  wait(fd, one);
}

void name_channel::wait(int fd, const std::shared_ptr<watched>& one) {
  if (one->reads && !std::exchange(one->waits_read, true))
    one->stream.async_wait(descriptor::wait_read, [self = weak_from_this(), fd, one](const auto& failed) {
      one->waits_read = false;
      if (const auto alive = self.lock(); alive && !failed) alive->on_ready(fd, one, true);
    });
  if (one->writes && !std::exchange(one->waits_write, true))
    one->stream.async_wait(descriptor::wait_write, [self = weak_from_this(), fd, one](const auto& failed) {
      one->waits_write = false;
      if (const auto alive = self.lock(); alive && !failed) alive->on_ready(fd, one, false);
    });
}

void name_channel::on_ready(int fd, const std::shared_ptr<watched>& one, bool readable) {
  if (ares_ == nullptr) return;
  ares_process_fd(ares_, readable ? fd : ARES_SOCKET_BAD, readable ? ARES_SOCKET_BAD : fd);
  if (const auto still = sockets_.find(fd); still != sockets_.end() && still->second == one) wait(fd, one);
  arm_timer();
}

void name_channel::arm_timer() {
  if (ares_ == nullptr) return;
  timeval left{};
  if (ares_timeout(ares_, nullptr, &left) == nullptr) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec));
  timer_.async_wait([self = weak_from_this()](const auto& failed) {
    const auto alive = self.lock();
    if (!alive || failed || alive->ares_ == nullptr) return;
    ares_process_fd(alive->ares_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    alive->arm_timer();
  });
}

}  // namespace os
