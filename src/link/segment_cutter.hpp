// segment_cutter: a TCP segment that its sender has left whole (gso_size), as the plain frames that it stands for: what
// a network card does, for what one VM sends to another over a link without offload. Pure; it looks into the frame,
// which stays where it is.
//
// Each segment has the headers of the whole one, with its own length, identification, sequence number and checksums.
// FIN and PSH belong to the last one, CWR to the first (RFC 3168, 6.1.2).
#pragma once

#include <cstddef>
#include <optional>

#include "link/framing.hpp"
#include "netstack/stack/frame.hpp"

namespace links {

class segment_cutter {
 public:
  // A frame that would become more is refused: no connection has such small segments.
  static constexpr std::size_t most_segments = 512;

  // `how`: as virtio_net::parse() has taken it. Nothing if the frame is not a whole TCP segment over IPv4.
  [[nodiscard]] static std::optional<segment_cutter> begin(const netstack::offload& how, bytes_view frame);

  [[nodiscard]] std::size_t count() const { return (payload_.size() + segment_data_ - 1) / segment_data_; }
  // Of the frame of segment `i`, in bytes.
  [[nodiscard]] std::size_t size(std::size_t i) const { return headers_.size() + data(i).size(); }
  // `to` has that size.
  void write(std::size_t i, bytes_span to) const;

 private:
  segment_cutter(bytes_view headers, bytes_view payload, std::size_t ip_header, std::size_t segment_data)
      : headers_(headers), payload_(payload), ip_header_(ip_header), segment_data_(segment_data) {}
  [[nodiscard]] bytes_view data(std::size_t i) const;
  void write_ip(std::size_t i, bytes_span packet) const;
  void write_tcp(std::size_t i, bytes_span packet) const;

  bytes_view headers_;  // Ethernet, IPv4 and TCP
  bytes_view payload_;
  std::size_t ip_header_;     // bytes, with options
  std::size_t segment_data_;  // bytes of payload in each but the last
};

}  // namespace links
