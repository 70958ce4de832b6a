// plain_frame: converts a frame with a virtio-net header for a link without offload. Such frames come from another VM,
// or waited in a tap's queue while the link changed. Pure.
#pragma once

#include "link/framing.hpp"
#include "netstack/stack/frame.hpp"

namespace links {

// Computes the checksum that the header leaves open. False: the frame cannot be sent unchanged, because it needs
// segmentation or its header is invalid.
[[nodiscard]] bool make_plain(bytes_view header, bytes_span frame);
// The same for a header that virtio_net::parse() has accepted.
[[nodiscard]] bool make_plain(const netstack::offload& how, bytes_span frame);

}  // namespace links
