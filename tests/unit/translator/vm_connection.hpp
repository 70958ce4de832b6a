// vm_connection: a TCP end inside scripted_vm, as tests need it: it keeps numbers and windows, acknowledges what comes
// in order, and repeats nothing, as a link of a test loses nothing.
#pragma once

#include "tests/unit/translator/scripted_vm.hpp"

namespace translator {

class vm_connection {
 public:
  static constexpr std::size_t most_segment = 1'460;

  vm_connection(scripted_vm& vm_side, std::uint16_t port, const endpoint& peer)
      : vm_side_(&vm_side), port_(port), peer_(peer) {}

  // ---- The VM connects

  void syn() { send({.syn = true}); }
  // False: no SYN-ACK came.
  bool connect() {
    syn();
    if (!until([this] { return connected; })) return false;
    send({.ack = true});
    return true;
  }

  // ---- A client of the host connects: the next SYN for this port of the VM, which has no answer yet

  static std::optional<vm_connection> incoming(scripted_vm& at, std::uint16_t port,
                                               std::chrono::milliseconds limit = patience) {
    std::optional<vm_connection> made;
    const auto got = at.next(
        [&](const auto& p) {
          const auto s = segment_of(p);
          if (!s || !s->flags.syn || s->flags.ack || s->destination_port != port) return false;
          made.emplace(at, port, endpoint{p.source, s->source_port});
          made->take(*s);
          return true;
        },
        limit);
    return got ? made : std::nullopt;
  }
  void accept() { send({.syn = true, .ack = true}); }
  void refuse() { send({.rst = true, .ack = true}); }

  // ---- Both

  void finish() { send({.fin = true, .ack = true}); }
  void reset() { send({.rst = true, .ack = true}); }
  void acknowledge() { send({.ack = true}); }
  // Sends as much as the peer's window takes now, and returns how much that was.
  std::size_t write(bytes_view all) {
    std::size_t sent = 0;
    while (sent < all.size() && room() > 0) {
      const auto size = std::min({all.size() - sent, most_segment, room()});
      send({.psh = true, .ack = true}, all.subspan(sent, size));
      sent += size;
    }
    return sent;
  }
  // False: the peer did not take all of it in time.
  bool write_all(bytes_view all) {
    while (!all.empty()) {
      all = all.subspan(write(all));
      if (!all.empty() && !until([this] { return room() > 0; })) return false;
    }
    return true;
  }
  // What the peer's window has room for.
  [[nodiscard]] std::size_t room() const {
    const auto used = next - acknowledged_;
    return used < 0 || static_cast<std::size_t>(used) >= peer_window ? 0 : peer_window - static_cast<std::size_t>(used);
  }

  // Takes segments until `holds`; false: they stop coming.
  bool until(const std::function<bool()>& holds, std::chrono::milliseconds limit = patience) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0 || !absorb(left)) return holds();
    }
    return true;
  }
  // Reads until that many bytes have come in all.
  bool reads(std::size_t size) {
    return until([this, size] { return received.size() >= size; });
  }
  // Takes one segment; false: none came.
  bool absorb(std::chrono::milliseconds limit) {
    const auto got = vm_side_->next(
        [this](const auto& p) {
          const auto s = segment_of(p);
          return s && p.source == peer_.address && s->source_port == peer_.port && s->destination_port == port_;
        },
        limit);
    if (!got) return false;
    take(*segment_of(got->packet));
    return true;
  }
  [[nodiscard]] const endpoint& peer() const { return peer_; }

  std::string received;           // in order
  bool connected = false;         // the peer's SYN has come
  bool ended = false;             // its FIN
  bool was_reset = false;         // its RST
  std::uint16_t window = 65'535;  // ours, times 128
  std::size_t peer_window = 0;    // in bytes
  netstack::tcp::sequence next{5'000};
  netstack::tcp::sequence reset_acknowledged;  // of its RST

 private:
  static constexpr std::uint8_t shift = 7;

  static std::optional<netstack::tcp::segment> segment_of(const netstack::ipv4::packet& p) {
    return p.is(netstack::ipv4::protocol::tcp) ? netstack::tcp::parse(p) : std::nullopt;
  }
  void send(netstack::tcp::flags flags, bytes_view payload = {}) {
    netstack::tcp::segment s;
    s.flags = flags;
    s.number = next;
    if (flags.ack) s.acknowledged = expected_;
    s.window = window;
    if (flags.syn) {
      s.window = 65'535;
      s.options.most_segment = most_segment;
      s.options.window_shift = shift;
      s.options.sack_permitted = true;
      acknowledged_ = next;
    }
    vm_side_->put_tcp(port_, peer_, s, payload);
    next += static_cast<std::uint32_t>(payload.size()) + (flags.syn ? 1U : 0U) + (flags.fin ? 1U : 0U);
  }
  void take(const netstack::tcp::segment& s) {
    if (s.flags.rst) {
      was_reset = true;
      reset_acknowledged = s.acknowledged;
      return;
    }
    if (s.flags.syn && connected) return acknowledge();  // repeated
    if (s.flags.syn) {
      connected = true;
      expected_ = s.number;
      peer_shift_ = s.options.window_shift.value_or(0);
    }
    if (s.flags.ack && s.acknowledged > acknowledged_) acknowledged_ = s.acknowledged;
    peer_window = std::size_t{s.window} << (s.flags.syn ? 0U : peer_shift_);
    if (s.number != expected_) return acknowledge();
    received.append(s.payload.begin(), s.payload.end());
    ended = ended || s.flags.fin;
    expected_ += s.length();
    if (s.length() > 0 && !s.flags.syn) acknowledge();
  }

  scripted_vm* vm_side_;
  std::uint16_t port_;
  endpoint peer_;
  netstack::tcp::sequence expected_, acknowledged_;
  unsigned peer_shift_ = 0;
};

}  // namespace translator
