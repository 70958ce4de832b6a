// link_ports: all links of the virtual network. Frames for the gateway go to the stack; frames between VMs go from link
// to link (mac_table.hpp of src/link), if their source addresses belong to the sender. Owned by plane; loop thread
// only.
//
// A link that ends is removed at the end of its turn, after all links have written: the others may still hold views of
// the stack's headers and of its frames.
//
// All places are taken by most_links. Then a link gives its place up to a newcomer if its peer has sent no frame for
// time_to_speak since it began: the oldest one first. Which links may do so says silence.
//
// A link whose peer does not read delays only its own frames: the stack keeps its connections' bytes, and the link
// keeps datagrams up to its bound. While all links are blocked, the stack keeps those as well.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "link/mac_table.hpp"
#include "netstack/ethernet.hpp"
#include "translator/frame_copies.hpp"
#include "translator/link_port.hpp"
#include "translator/pcap_file.hpp"

namespace translator {

struct link_status {
  netstack::link_id id = 0;
  bool offload = false, blocked = false;
  links::link_counters counters;
};

// Whether a link whose peer has not sent a frame yet keeps its place when all are taken. One that cannot come again, or
// that waits for its first VM, keeps it.
enum class silence : std::uint8_t { keeps_the_place, gives_the_place };

class link_ports {
 public:
  static constexpr std::size_t most_links = 64;
  static constexpr std::chrono::seconds time_to_speak{30};  // QEMU connects before its VM boots

  // `process` lets the owner take the stack's actions while the frames are still in memory.
  link_ports(shared& common, net::mac_address gateway, std::function<bool()> process);
  ~link_ports();
  link_ports(const link_ports&) = delete;
  link_ports& operator=(const link_ports&) = delete;

  // `over` is called once when the link ends, unless this object is destroyed. Fails with too_many_links, or the
  // kernel's code.
  base::result<> add(any_link link, silence of_peer, std::function<void(base::error)> over);

  // Takes the stack's frames and writes them. Then removes the links that have ended.
  void transmit();
  [[nodiscard]] std::vector<link_status> status() const;
  [[nodiscard]] std::vector<links::mac_table::station> stations() const { return stations_.stations(common_.now()); }
  [[nodiscard]] std::size_t size() const { return ports_.size(); }
  [[nodiscard]] netstack::time_point wake_at() const;  // to transmit(); max() for never
  void record(std::optional<pcap_file> to) { recording_ = std::move(to); }
  [[nodiscard]] bool is_recording() const { return recording_.has_value(); }

  // For link_port.
  [[nodiscard]] shared& common() { return common_; }
  void received(link_port& from, std::span<const links::received_frame> frames);
  void properties_changed(const link_port& of);
  void ended(link_port& port, const base::error& why);

 private:
  struct entry {
    std::unique_ptr<link_port> port;
    std::function<void(base::error)> over;
    silence of_peer;
    netstack::time_point began;
  };
  // False: all places are taken, and no link gives its own up.
  [[nodiscard]] bool make_room();
  [[nodiscard]] bool can_send() const;
  [[nodiscard]] link_port* find(netstack::link_id id) const;
  // nullopt, and counted, if its header is invalid.
  [[nodiscard]] std::optional<netstack::frame_in> take(const link_port& from, const links::received_frame& received);
  // Passes a frame between VMs on. Returns whether the stack needs it as well.
  [[nodiscard]] bool switch_frame(const link_port& from, const netstack::frame_in& frame);
  // Which source address a frame names: none, one that belongs to its sender, or another one.
  enum class claim : std::uint8_t { none, own, false_one };
  [[nodiscard]] claim claim_of(const link_port& from, const netstack::ethernet::frame& frame);
  [[nodiscard]] bool may_reach_others(const link_port& from, const netstack::ethernet::frame& frame);
  void learn(const link_port& from, const netstack::ethernet::frame& frame);
  void flood(const link_port& from, const netstack::frame_in& frame);
  // `plain`: the frame for links without offload, once it is built.
  void pass_on(link_port& to, const netstack::frame_in& frame, netstack::bytes_view& plain);
  void pass_on_cut(link_port& to, const netstack::frame_in& frame);
  void send(const netstack::frame_out& frame);
  void let_ended_leave();

  shared& common_;
  net::mac_address gateway_;
  std::function<bool()> process_;
  std::vector<entry> ports_;                         // the oldest first
  std::vector<std::pair<entry, base::error>> gone_;  // ended in this turn
  std::vector<netstack::frame_in> batch_;
  links::mac_table stations_;
  frame_copies copies_;
  netstack::link_id last_id_ = 0;
  std::optional<pcap_file> recording_;
};

}  // namespace translator
