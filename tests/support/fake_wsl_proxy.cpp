#include "tests/support/fake_wsl_proxy.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <string>

#include "protocols/port_mapping/message_codec.hpp"

namespace support {
namespace {

constexpr int poll_ms = 5;

bool readable(std::stop_token stopped, int fd) {
  while (!stopped.stop_requested()) {
    pollfd one{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&one, 1, poll_ms) > 0) return true;
  }
  return false;
}

}  // namespace

void fake_wsl_proxy::listen_anew(int backlog) {
  end_thread();
  std::filesystem::remove(path_);
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::strncpy(at.sun_path, path_.c_str(), sizeof at.sun_path - 1);
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(listener_.get(), backlog) != 0)
    throw std::runtime_error("fake wsl-proxy: cannot listen on " + path_.string());
  const std::scoped_lock lock(mutex_);
  held_.clear();
}

void fake_wsl_proxy::start() { start_slow(std::chrono::milliseconds(0)); }

void fake_wsl_proxy::start_hanging() { listen_anew(0); }

void fake_wsl_proxy::start_slow(std::chrono::milliseconds each) {
  listen_anew(64);
  thread_ = std::jthread([this, each](std::stop_token stopped) { serve(stopped, each); });
}

void fake_wsl_proxy::wake() {
  thread_ = std::jthread([this](std::stop_token stopped) { serve(stopped, std::chrono::milliseconds(0)); });
}

void fake_wsl_proxy::stop() {
  crash();
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

void fake_wsl_proxy::crash() {
  end_thread();
  listener_.reset();
}

void fake_wsl_proxy::end_thread() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void fake_wsl_proxy::serve(std::stop_token stopped, std::chrono::milliseconds delay) {
  while (readable(stopped, listener_.get())) {
    const base::unique_fd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (delay.count() > 0) std::this_thread::sleep_for(delay);
    if (connection) read_one(stopped, connection.get());
  }
}

void fake_wsl_proxy::read_one(std::stop_token stopped, int connection) {
  std::string text;
  std::array<char, 65'536> chunk;
  while (readable(stopped, connection)) {
    const auto got = ::read(connection, chunk.data(), chunk.size());
    if (got <= 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  const auto decoded = port_mapping::decode(text);
  if (decoded && decoded->refused_count == 0) return record(decoded->accepted);
  const std::scoped_lock lock(mutex_);
  ++bad_;
}

void fake_wsl_proxy::record(const port_mapping::message& m) {
  const std::scoped_lock lock(mutex_);
  received_.push_back(m);
  for (const auto& b : m.bindings) {
    if (m.remove)
      held_.erase({b.protocol, b.host});
    else
      held_.insert({b.protocol, b.host});
  }
  changed_.notify_all();
}

fake_wsl_proxy::messages fake_wsl_proxy::received() const {
  const std::scoped_lock lock(mutex_);
  return received_;
}

std::set<fake_wsl_proxy::held_port> fake_wsl_proxy::held() const {
  const std::scoped_lock lock(mutex_);
  return held_;
}

std::size_t fake_wsl_proxy::bad_connections() const {
  const std::scoped_lock lock(mutex_);
  return bad_;
}

bool fake_wsl_proxy::wait_for_messages(const std::function<bool(const messages&)>& enough,
                                       std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return enough(received_); });
}

bool fake_wsl_proxy::wait_until_held(const std::set<held_port>& wanted, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return held_ == wanted; });
}

}  // namespace support
