#include "tests/bench/relay/target_server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/relay/load_socket.hpp"

namespace bench {
namespace {

class target_server {
 public:
  explicit target_server(std::uint16_t first) {
    for (const auto port : {sink_port, answer_port})
      listeners_[port] = listen_socket(static_cast<std::uint16_t>(first + port));
    echo_ = udp_socket();
    const auto at = net::to_sockaddr(local(static_cast<std::uint16_t>(first + echo_port)));
    check(::bind(echo_.get(), at.get(), at.size), "bind");
    for (const auto& fd : listeners_) watch(fd.get());
    watch(echo_.get());
  }

  void serve() {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == echo_.get())
        echo();
      else if (fd == listeners_[sink_port].get())
        take(fd, true);
      else if (fd == listeners_[answer_port].get())
        take(fd, false);
      else if (const auto at = clients_.find(fd); at != clients_.end() && !go_on(at->second))
        clients_.erase(at);
    }
  }

 private:
  struct client {
    base::unique_fd fd;
    bool sink = false;
    std::uint64_t taken = 0;
  };

  void watch(int fd) {
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.fd = fd;
    check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &e), "epoll_ctl");
  }

  void take(int listener, bool sink) {
    for (int i = 0; i < 64; ++i) {
      base::unique_fd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) return;
      const int key = fd.get();
      client taken{std::move(fd), sink};
      if (!sink && !go_on(taken)) continue;  // its request has come with it
      watch(key);
      clients_.insert_or_assign(key, std::move(taken));
    }
  }

  // False: it is over.
  bool go_on(client& c) {
    const auto got = ::recv(c.fd.get(), buffer_.data(), c.sink ? buffer_.size() : request_bytes, 0);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) {
      if (c.sink) ::send(c.fd.get(), &c.taken, sizeof c.taken, MSG_NOSIGNAL);
      return false;
    }
    c.taken += static_cast<std::uint64_t>(got);
    if (c.sink || c.taken % request_bytes != 0) return true;
    ::send(c.fd.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    return buffer_[0] != 'c';
  }

  void echo() {
    const int count = datagrams_.receive(echo_.get());
    if (count > 0) datagrams_.send(echo_.get(), static_cast<unsigned>(count));
  }

  base::unique_fd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  std::array<base::unique_fd, 2> listeners_;
  base::unique_fd echo_;
  std::map<int, client> clients_;
  std::vector<char> buffer_ = std::vector<char>(256 << 10);
  std::string answer_ = std::string(answer_bytes, 'a');
  datagrams datagrams_{true};
};

}  // namespace

void serve_target(std::uint16_t first) {
  target_server server(first);
  while (true) server.serve();
}

}  // namespace bench
