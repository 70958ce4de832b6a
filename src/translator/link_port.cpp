#include "translator/link_port.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "base/result.hpp"
#include "link/link_counters.hpp"
#include "link/stream_link.hpp"
#include "link/virtio_net.hpp"
#include "netstack/bytes.hpp"
#include "netstack/stack/frame.hpp"
#include "translator/link_ports.hpp"

namespace translator {

int link_port::fd() const {
  return std::visit([](const auto& one) { return one.fd(); }, link_);
}

bool link_port::is_blocked() const {
  return std::visit([](const auto& one) { return one.is_blocked(); }, link_);
}

std::size_t link_port::backlog() const {
  return std::visit([](const auto& one) { return one.backlog(); }, link_);
}

bool link_port::takes_offload() const {
  const auto* const stream = std::get_if<links::stream_link>(&link_);
  return stream != nullptr && stream->takes_offload();
}

const links::link_counters& link_port::counters() const {
  return std::visit([](const auto& one) -> const links::link_counters& { return one.counters(); }, link_);
}

bool link_port::watch() { return owner_.common().loop.watch(fd(), *this, 0, EPOLLIN); }

void link_port::on_event(unsigned /*which*/, std::uint32_t events) {
  if (!over_ && (events & EPOLLOUT) != 0) on_room();
  if (!over_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive();
}

void link_port::receive() {
  const auto got = std::visit([](auto& one) { return one.read(); }, link_);
  if (!got) return end(got.error());
  dirty_ = true;  // the link itself may have an answer to what was read
  if (!offload_ && takes_offload()) {
    offload_ = true;
    owner_.properties_changed(*this);
  }
  if (*got > 0) owner_.received(*this, std::visit([](const auto& one) { return one.frames(); }, link_));
}

void link_port::send(netstack::bytes_view header, std::span<const netstack::bytes_view> parts) {
  if (over_) return;
  dirty_ = true;
  auto* const stream = std::get_if<links::stream_link>(&link_);
  auto sent = stream != nullptr ? stream->send(header, parts) : std::get<links::datagram_link>(link_).send(parts);
  if (!sent) return end(sent.error());
  report_blocked();
}

// The stack then keeps what goes to this link, and goes on with the others.
void link_port::report_blocked() {
  if (reported_blocked_ == is_blocked()) return;
  reported_blocked_ = is_blocked();
  owner_.common().stack.link_blocked(id_, reported_blocked_);
}

void link_port::send(const netstack::frame_out& frame) {
  const auto header = links::virtio_net::to_bytes(frame.how);
  send(offload_ ? netstack::bytes_view(header) : netstack::bytes_view(), frame.parts);
}

void link_port::send(const netstack::offload& how, netstack::bytes_view frame) {
  const auto header = links::virtio_net::to_bytes(how);
  const std::array parts{frame};
  send(offload_ ? netstack::bytes_view(header) : netstack::bytes_view(), parts);
}

void link_port::flush() {
  if (over_ || (!dirty_ && !waits_for_room_)) return;
  dirty_ = false;
  if (auto sent = std::visit([](auto& one) { return one.flush(); }, link_); !sent) return end(sent.error());
  if (is_blocked() && retry_at_ <= owner_.common().now()) wait_longer();
  report_blocked();
  if (waits_for_room_ == is_blocked()) return;
  waits_for_room_ = is_blocked();
  retry_at_ = netstack::time_point::max();
  pause_ = first_pause;
  owner_.common().loop.change(fd(), *this, 0, EPOLLIN | (waits_for_room_ ? EPOLLOUT : 0U));
}

void link_port::on_room() {
  const auto before = backlog();
  flush();
  if (over_ || !is_blocked() || backlog() < before) return;
  wait_longer();
  owner_.common().loop.change(fd(), *this, 0, EPOLLIN);
}

void link_port::wait_longer() {
  retry_at_ = owner_.common().now() + pause_;
  pause_ = std::min(2 * pause_, longest_pause);
}

void link_port::end(const base::error& why) {
  if (!over_) owner_.ended(*this, why);
}

void link_port::close() {
  over_ = true;
  owner_.common().loop.unwatch(fd());
}

}  // namespace translator
