// plain_frame: a frame of the tap interface for a link without offload. Frames that waited in the tap's queue while the
// link changed may still need what the link does not do. Pure.
#pragma once

#include "link/framing.hpp"

namespace vm_switch {

// Fills in the checksum that the header leaves open. False: the frame cannot go as it is: it is to be cut into segments,
// or its header is not one.
[[nodiscard]] bool make_plain(links::bytes_view header, links::bytes_span frame);

}  // namespace vm_switch
