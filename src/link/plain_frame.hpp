// plain_frame: a frame with a virtio-net header for a link without offload: what waited in a tap's queue while the link
// changed, and what one VM sends to another. Pure.
#pragma once

#include "link/framing.hpp"
#include "netstack/stack/frame.hpp"

namespace links {

// Fills in the checksum that the header leaves open. False: the frame cannot go as it is: it is to be cut into segments,
// or its header is not one.
[[nodiscard]] bool make_plain(bytes_view header, bytes_span frame);
// The same for a header that virtio_net::parse() has taken.
[[nodiscard]] bool make_plain(const netstack::offload& how, bytes_span frame);

}  // namespace links
