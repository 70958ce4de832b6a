// link_port: one link to a VM, on the loop. It reads frames, passes them on in batches, and writes the outgoing ones
// once a turn. Owned by link_ports; loop thread only. Any error ends the link (stream_link.hpp); the port is inactive
// afterwards.
//
// Frames that do not fit wait until epoll reports room. If the write still takes nothing then, the port pauses: a
// datagram socket reports room although its peer's queue is full, and the kernel may be short of memory. The pauses
// double up to longest_pause, so a peer that never reads does not make the loop spin.
#pragma once

#include <chrono>
#include <cstddef>
#include <variant>

#include "link/datagram_link.hpp"
#include "link/stream_link.hpp"
#include "translator/shared.hpp"

namespace translator {

class link_ports;

using any_link = std::variant<links::stream_link, links::datagram_link>;

class link_port final : public os::event_handler {
 public:
  static constexpr std::chrono::milliseconds first_pause{1}, longest_pause{100};

  link_port(link_ports& owner, netstack::link_id id, any_link link) : owner_(owner), id_(id), link_(std::move(link)) {}

  [[nodiscard]] bool watch();
  void on_event(unsigned which, std::uint32_t events) override;
  // Adds a frame to those sent in this turn.
  void send(const netstack::frame_out& frame);
  void send(const netstack::offload& how, netstack::bytes_view frame);
  // Ends the turn: writes.
  void flush();
  void close();

  [[nodiscard]] netstack::link_id id() const { return id_; }
  [[nodiscard]] bool is_blocked() const;
  [[nodiscard]] netstack::time_point wake_at() const { return retry_at_; }  // to flush(); max() for never
  [[nodiscard]] bool takes_offload() const;
  [[nodiscard]] const links::link_counters& counters() const;

 private:
  [[nodiscard]] int fd() const;
  [[nodiscard]] std::size_t backlog() const;
  void receive();
  void on_room();
  void wait_longer();
  void send(netstack::bytes_view header, std::span<const netstack::bytes_view> parts);
  void report_blocked();
  void end(const base::error& why);

  link_ports& owner_;
  netstack::link_id id_;
  any_link link_;
  bool over_ = false, waits_for_room_ = false, offload_ = false, dirty_ = false, reported_blocked_ = false;
  netstack::time_point retry_at_ = netstack::time_point::max();  // not max(): room is waited for by time
  std::chrono::milliseconds pause_ = first_pause;
};

}  // namespace translator
