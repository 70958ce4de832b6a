#include "programs/vm_switch/plain_frame.hpp"

#include "link/virtio_net.hpp"
#include "netstack/checksum.hpp"

namespace vm_switch {

bool make_plain(links::bytes_view header, links::bytes_span frame) {
  const auto parsed = links::virtio_net::parse(header, frame);
  if (!parsed || parsed->how.gso_size != 0) return false;
  const auto& how = parsed->how;
  if (!how.needs_checksum) return true;
  // The field holds the sum of the pseudo header.
  const auto sum = netstack::checksum(frame.subspan(how.checksum_start));
  netstack::store_16(frame, std::size_t{how.checksum_start} + how.checksum_offset, sum == 0 ? 0xffff : sum);
  return true;
}

}  // namespace vm_switch
