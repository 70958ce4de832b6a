#include "link/plain_frame.hpp"

#include <cstddef>

#include "link/framing.hpp"
#include "link/virtio_net.hpp"
#include "netstack/bytes.hpp"
#include "netstack/checksum.hpp"
#include "netstack/stack/frame.hpp"

namespace links {

bool make_plain(bytes_view header, bytes_span frame) {
  const auto parsed = virtio_net::parse(header, frame);
  return parsed && make_plain(parsed->how, frame);
}

bool make_plain(const netstack::offload& how, bytes_span frame) {
  if (how.gso_size != 0) return false;
  if (!how.needs_checksum) return true;
  // The field holds the sum of the pseudo header.
  const auto sum = netstack::checksum(frame.subspan(how.checksum_start));
  netstack::store_16(frame, std::size_t{how.checksum_start} + how.checksum_offset, sum == 0 ? 0xffff : sum);
  return true;
}

}  // namespace links
