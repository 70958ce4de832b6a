// offload_agreement: how the two ends of a stream agree to put a virtio-net header in front of each frame, so that
// segments of 64 KB cross uncut and without checksums.
//
// Theory of operation. A data connection begins with plain frames ("stdio"), as the originals expect. Two marker frames
// of an experimental ethertype (0x88b5) change that, in each direction independently:
//
//   VM end                                    host end
//   ask   ─────────────────────────────────▶            sent as the first frame, if the host has offered
//         ◀───────────────────────────────── go         from here on the host's frames have headers
//   go    ─────────────────────────────────▶            from here on the VM's frames have headers
//
// A direction changes immediately after its `go`. Neither end sends a header before it has received a marker on the
// same connection. So a peer without offload never receives one: it drops `ask`, because it knows neither the
// destination nor the protocol, and frames stay plain. Each connection starts over: after a reconnect to an older peer
// frames are plain.
//
// The host accepts `ask` only as the first frame. Through an older VM end, a container with a raw socket can send any
// frame; it must not change the framing of a link whose VM end cannot follow.
//
// Pure; one for each connection, owned by stream_link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "link/framing.hpp"

namespace links {

// What an end does about offload. vm: asks for it. host: agrees to it. none: treats markers as ordinary frames.
enum class offload_role : std::uint8_t { none, vm, host };

enum class marker : std::uint8_t { ask = 1, go = 2 };

inline constexpr std::size_t marker_size = 60;  // the shortest frame that Ethernet allows
[[nodiscard]] bytes_view marker_frame(marker m);
// nullopt for any other frame.
[[nodiscard]] std::optional<marker> parse_marker(bytes_view frame);

class offload_agreement {
 public:
  explicit offload_agreement(offload_role role) : role_(role) {}

  // The first frame that the VM's end sends.
  [[nodiscard]] std::optional<marker> begin() const {
    return role_ == offload_role::vm ? std::optional(marker::ask) : std::nullopt;
  }
  // Handles a plain frame that has arrived. `consumed`: it is a marker, and not for the network. `answer`: the marker
  // to send now, as a plain frame.
  struct outcome {
    bool consumed = false;
    std::optional<marker> answer{};
  };
  [[nodiscard]] outcome on_frame(bytes_view frame);

  // Whether frames have headers from now on. on_frame() is not called once received frames do.
  [[nodiscard]] bool sends() const { return sends_; }
  [[nodiscard]] bool receives() const { return receives_; }

 private:
  outcome go();

  offload_role role_;
  bool sends_ = false, receives_ = false;
};

}  // namespace links
