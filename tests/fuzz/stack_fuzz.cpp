// The network stack as a whole: frames and socket events from bytes. Each input begins with an order: 0 to 7 a call of
// the owner, all others a frame of the VM. What comes out are frames with right lengths and checksums; memory stays
// bounded.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "netstack/checksum.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/stack/stack.hpp"
#include "netstack/tcp/segment.hpp"
#include "netstack/udp_datagram.hpp"

using namespace netstack;

namespace {

constexpr net::mac_address vm_mac{{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xee}};
constexpr ipv4::address vm{0xc0a87f02};

void require(bool condition) {
  if (!condition) std::abort();
}

class fuzzed_stack {
 public:
  explicit fuzzed_stack(bytes_view input) : input_(input), net_(settings(), now_) {
    net_.link_up(0, {.checksum_offload = take() % 2 == 0, .most_segment_data = 20'000}, now_);
  }

  void run() {
    while (!input_.empty()) {
      step();
      take_actions();
      net_.end_batch(now_);
      take_actions();
      pull();
      const auto counted = net_.counters();
      require(counted.flows <= 8 && counted.half_open <= 4 && counted.fragments_waiting <= 4);
      require(counted.tcp_memory <= std::size_t{16} << 20U);
    }
  }

 private:
  static stack_settings settings() {
    stack_settings s;
    s.limits.flows = 8;
    s.limits.half_open = 4;
    s.limits.fragments = {.most_datagrams = 4, .most_bytes = 100'000, .wait = std::chrono::seconds(30)};
    return s;
  }

  std::uint8_t take() {
    if (input_.empty()) return 0;
    const auto byte = input_[0];
    input_ = input_.subspan(1);
    return byte;
  }
  bytes_view take_some(std::size_t size) {
    const auto some = input_.first(std::min(size, input_.size()));
    input_ = input_.subspan(some.size());
    return some;
  }
  flow_id any_flow() { return flows_.empty() ? flow_id{take(), take()} : flows_[take() % flows_.size()]; }

  void step() {
    const auto order = take();
    switch (order) {
      case 0: return net_.connected(any_flow(), now_);
      case 1: return net_.connect_failed(any_flow(), take(), now_);
      case 2: {
        const auto id = net_.open({{0xc0a87f01}, 0}, {vm, take()}, now_);
        if (id) flows_.push_back(*id);
        return;
      }
      case 3: return consume(any_flow());
      case 4: return write(any_flow());
      case 5: return take() % 2 == 0 ? net_.finish(any_flow(), now_) : net_.abort(any_flow(), now_);
      case 6: now_ += std::chrono::milliseconds(take() * 100); return net_.on_time(now_);
      case 7:
        static_cast<void>(net_.send_datagram({{0x01020304}, 1}, {vm, 2}, take_some(take() * 16), false, now_));
        return;
      default: return send_frame(order);
    }
  }

  // The bytes of the input as a frame, with addresses and header checksum made right, so that they reach further.
  void send_frame(std::uint8_t order) {
    const auto some = take_some(take() * 2U);
    frame_.assign(ethernet::header_size, 0);
    frame_.insert(frame_.end(), some.begin(), some.end());
    const auto type = order % 8 == 0 ? ethernet::ethertype::arp : ethernet::ethertype::ipv4;
    ethernet::write_header(frame_, {{0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xdd}}, vm_mac, type);
    const auto packet = bytes_span(frame_).subspan(ethernet::header_size);
    if (order % 4 != 0 && packet.size() >= ipv4::header_size) {
      packet[0] = 0x45;
      store_16(packet, 2, static_cast<std::uint16_t>(packet.size()));
      store_32(packet, 12, vm.value);
      store_16(packet, 10, 0);
      store_16(packet, 10, checksum(packet.first(ipv4::header_size)));
    }
    const frame_in in{.bytes = frame_, .how = {}, .checksum_valid = true};
    net_.on_frames(std::span(&in, 1), now_);
  }

  void consume(flow_id id) {
    std::size_t size = 0;
    for (const auto& slice : net_.arrived(id)) size += slice.size();
    net_.consumed(id, std::min<std::size_t>(size, take() * 64U), now_);
  }

  void write(flow_id id) {
    const auto room = net_.send_room(id);
    net_.written(id, std::min<std::size_t>(room[0].size() + room[1].size(), take() * 64U), now_);
  }

  void take_actions() {
    while (const auto next = net_.next_action()) {
      if (const auto* c = std::get_if<action::connect>(&*next)) flows_.push_back(c->flow);
      if (const auto* e = std::get_if<action::echo>(&*next))
        static_cast<void>(net_.send_echo_reply(*e, e->payload, now_));
      if (const auto* d = std::get_if<action::datagram>(&*next)) net_.datagram_failed(d->from, d->asked, 111, 0, now_);
    }
    if (flows_.size() > 64) flows_.erase(flows_.begin(), flows_.end() - 64);
  }

  void pull() {
    frame_out out;
    std::vector<std::uint8_t> whole;
    while (net_.next_frame(out, now_)) {
      whole.clear();
      for (const auto& part : out.parts) whole.insert(whole.end(), part.begin(), part.end());
      require(whole.size() == out.size);
      const auto frame = ethernet::parse(whole);
      require(frame.has_value());
      if (frame->is(ethernet::ethertype::ipv4)) check(*frame, out.how);
    }
  }

  static void check(const ethernet::frame& frame, const offload& how) {
    const auto packet = ipv4::parse(frame.payload);
    require(packet && packet->header.size() + packet->payload.size() == frame.payload.size());
    if (how.needs_checksum || packet->is_fragment()) return;
    if (packet->is(ipv4::protocol::tcp)) require(tcp::parse(*packet).has_value());
    if (packet->is(ipv4::protocol::udp)) require(udp::parse(*packet).has_value());
    if (packet->is(ipv4::protocol::icmp)) require(icmp::parse(packet->payload).has_value());
  }

  bytes_view input_;
  time_point now_{std::chrono::hours(1)};
  stack net_;
  std::vector<flow_id> flows_;
  std::vector<std::uint8_t> frame_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzzed_stack(bytes_view(data, size)).run();
  return 0;
}
