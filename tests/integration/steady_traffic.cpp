#include "tests/integration/steady_traffic.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tests/support/eventually.hpp"

namespace integration {
namespace {

constexpr std::size_t most_a_turn = 16 << 10;  // bytes that an end sends
constexpr int turn_ms = 10;

}  // namespace

steady_traffic::steady_traffic(std::vector<tcp_pair> pairs) {
  for (auto& one : pairs) sides_.emplace_back().fd = std::move(one.client);
  for (auto& one : pairs) sides_.emplace_back().fd = std::move(one.server);
  for (const auto& one : sides_) ::fcntl(one.fd.get(), F_SETFL, O_NONBLOCK);
  thread_ = std::thread([this] { run(); });
}

steady_traffic::~steady_traffic() {
  stopping_ = true;
  thread_.join();
}

void steady_traffic::run() {
  while (!stopping_) {
    for (auto& one : sides_)
      if (!one.ended) turn(one);
    ::poll(nullptr, 0, turn_ms);
  }
}

void steady_traffic::turn(side& one) {
  if (!finishing_) send(one);
  if (finishing_ && !std::exchange(one.shut, true)) ::shutdown(one.fd.get(), SHUT_WR);
  receive(one);
}

void steady_traffic::send(side& one) {
  const auto bytes = stream_bytes(one.sent, most_a_turn);
  const auto took = ::send(one.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (took > 0) one.sent += static_cast<std::size_t>(took);
  if (took < 0 && errno != EAGAIN) one.ended = true;
}

void steady_traffic::receive(side& one) {
  std::array<char, 64 << 10> buffer;
  while (!one.ended) {
    const auto expected = stream_bytes(one.received, buffer.size());
    const auto got = ::recv(one.fd.get(), buffer.data(), expected.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      one.ended = true;
    } else {
      wrong_ += std::memcmp(buffer.data(), expected.data(), static_cast<std::size_t>(got)) == 0 ? 0 : 1;
      one.received += static_cast<std::size_t>(got);
    }
  }
}

std::vector<std::size_t> steady_traffic::received() const {
  std::vector<std::size_t> all;
  for (const auto& one : sides_) all.push_back(one.received);
  return all;
}

bool steady_traffic::goes_on_or_has_ended(const std::vector<std::size_t>& before) const {
  for (std::size_t i = 0; i < sides_.size(); ++i)
    if (!sides_[i].ended && sides_[i].received <= before[i]) return false;
  return true;
}

bool steady_traffic::goes_on(const std::vector<std::size_t>& before) const {
  return goes_on_or_has_ended(before) && std::ranges::none_of(sides_, [](const side& one) { return one.ended.load(); });
}

void steady_traffic::abandon(const std::vector<std::size_t>& ends) {
  for (const auto one : ends) sides_[one].ended = true;
}

bool steady_traffic::finish(std::chrono::milliseconds limit) {
  finishing_ = true;
  const auto half = sides_.size() / 2;
  return support::eventually(limit, [&] {
    for (std::size_t i = 0; i < half; ++i) {
      const auto &client = sides_[i], &server = sides_[half + i];
      if (!client.ended || !server.ended) return false;
    }
    for (std::size_t i = 0; i < half; ++i) {
      const auto &client = sides_[i], &server = sides_[half + i];
      if (client.received != server.sent || server.received != client.sent) return false;
    }
    return true;
  });
}

}  // namespace integration
