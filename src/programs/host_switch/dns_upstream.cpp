#include "programs/host_switch/dns_upstream.hpp"

#include <ares.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "netstack/bytes.hpp"

namespace host_switch {
namespace {

namespace asio = async::asio;
using descriptor = asio::posix::stream_descriptor;

constexpr int first_wait_ms = 1'500;  // for one server; c-ares doubles it with each round
constexpr int rounds = 3;

bool start_library() {
  static const bool started = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
  return started;
}

}  // namespace

// One channel of c-ares on the io_context. Its questions in progress keep it alive.
class dns_upstream::channel : public std::enable_shared_from_this<channel> {
 public:
  channel(const async::executor& where, const std::string& resolv_conf, bool by_tcp) : where_(where), timer_(where) {
    ares_options options{};
    options.flags = by_tcp ? ARES_FLAG_USEVC : ARES_FLAG_IGNTC;
    options.timeout = first_wait_ms;
    options.tries = rounds;
    options.sock_state_cb = &channel::on_socket;
    options.sock_state_cb_data = this;
    options.resolvconf_path = const_cast<char*>(resolv_conf.c_str());
    const int mask =
        ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;
    failure_ = start_library() ? ares_init_options(&ares_, &options, mask) : ARES_ENOTINITIALIZED;
  }
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  ~channel() { stop(); }

  [[nodiscard]] const char* failure() const { return failure_ == ARES_SUCCESS ? nullptr : ares_strerror(failure_); }

  // Ends the channel without results.
  void stop() {
    silent_ = true;
    if (failure_ == ARES_SUCCESS) ares_destroy(ares_);
    failure_ = ARES_EDESTRUCTION;
  }

  void ask(netstack::bytes_view question, result to) {
    if (failure_ != ARES_SUCCESS) return to(std::nullopt);
    auto* const waiting = new question_in_progress{shared_from_this(), std::move(to)};
    ares_send(ares_, question.data(), static_cast<int>(question.size()), &channel::on_answer, waiting);
    arm_timer();
  }

  [[nodiscard]] std::vector<std::string> search_domains() const {
    std::vector<std::string> made;
    ares_options options{};
    int mask = 0;
    if (failure_ != ARES_SUCCESS || ares_save_options(ares_, &options, &mask) != ARES_SUCCESS) return made;
    for (int i = 0; i < options.ndomains; ++i) made.emplace_back(options.domains[i]);
    ares_destroy_options(&options);
    return made;
  }

 private:
  struct question_in_progress {
    std::shared_ptr<channel> keeps;
    result to;
  };

  // Called by c-ares exactly once for each question, also from within ares_send() and ares_destroy().
  static void on_answer(void* waiting, int /*status*/, int /*timeouts*/, unsigned char* bytes, int size) {
    const std::unique_ptr<question_in_progress> done(static_cast<question_in_progress*>(waiting));
    if (done->keeps->silent_) return;
    if (bytes == nullptr || size <= 0) return done->to(std::nullopt);
    done->to(netstack::bytes_view(bytes, static_cast<std::size_t>(size)));
  }

  static void on_socket(void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<channel*>(self)->watch(fd, readable != 0, writable != 0);
  }

  struct watched {
    explicit watched(const async::executor& where, int fd) : stream(where, fd) {}
    ~watched() { static_cast<void>(stream.release()); }  // c-ares closes the socket
    descriptor stream;
    bool reads = false, writes = false;            // what c-ares wants
    bool waits_read = false, waits_write = false;  // waits in progress
  };

  // Neither: c-ares is about to close the socket.
  void watch(int fd, bool readable, bool writable) {
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

  void wait(int fd, const std::shared_ptr<watched>& one) {
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

  void on_ready(int fd, const std::shared_ptr<watched>& one, bool readable) {
    if (failure_ != ARES_SUCCESS) return;
    ares_process_fd(ares_, readable ? fd : ARES_SOCKET_BAD, readable ? ARES_SOCKET_BAD : fd);
    if (const auto still = sockets_.find(fd); still != sockets_.end() && still->second == one) wait(fd, one);
    arm_timer();
  }

  void arm_timer() {
    if (failure_ != ARES_SUCCESS) return;
    timeval left{};
    if (ares_timeout(ares_, nullptr, &left) == nullptr) {
      timer_.cancel();
      return;
    }
    timer_.expires_after(std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec));
    timer_.async_wait([self = weak_from_this()](const auto& failed) {
      const auto alive = self.lock();
      if (!alive || failed || alive->failure_ != ARES_SUCCESS) return;
      ares_process_fd(alive->ares_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      alive->arm_timer();
    });
  }

  async::executor where_;
  asio::steady_timer timer_;
  ares_channel ares_ = nullptr;
  int failure_ = ARES_ENOTINITIALIZED;
  bool silent_ = false;
  std::map<int, std::shared_ptr<watched>> sockets_;
};

dns_upstream::dns_upstream(const async::executor& where, std::string resolv_conf)
    : where_(where), resolv_conf_(std::move(resolv_conf)) {
  renew();
}

dns_upstream::~dns_upstream() {
  for (const auto& one : all_)
    if (const auto alive = one.lock()) alive->stop();
}

std::shared_ptr<dns_upstream::channel> dns_upstream::open(bool by_tcp) {
  auto made = std::make_shared<channel>(where_, resolv_conf_, by_tcp);
  all_.remove_if([](const auto& one) { return one.expired(); });
  all_.push_back(made);
  const auto* const failure = made->failure();
  trouble_.note(failure == nullptr ? base::result<>{} : base::fail(failure));
  return made;
}

void dns_upstream::renew() {
  by_udp_ = open(false);
  by_tcp_ = open(true);
}

void dns_upstream::ask(netstack::bytes_view question, bool by_tcp, result to) {
  (by_tcp ? by_tcp_ : by_udp_)->ask(question, std::move(to));
}

std::vector<std::string> dns_upstream::search_domains() const { return by_udp_->search_domains(); }

}  // namespace host_switch
