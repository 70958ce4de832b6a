// A virtio-net header and the frame behind it: what is accepted lies within the frame, and survives being written and
// read again.
#include <cstdint>
#include <cstdlib>

#include "link/virtio_net.hpp"

using namespace links;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bytes_view all(data, size);
  const auto header = all.first(std::min(size, virtio_header_size));
  const auto frame = all.subspan(header.size());
  const auto found = virtio_net::parse(header, frame);
  if (!found) return 0;
  const auto& how = found->how;
  if (how.needs_checksum && std::size_t{how.checksum_start} + how.checksum_offset + 2 > frame.size()) std::abort();
  if (how.gso_size != 0 && (how.gso_size < virtio_net::smallest_gso_size || how.header_length >= frame.size()))
    std::abort();
  const auto again = virtio_net::parse(virtio_net::to_bytes(how), frame);
  if (!again || again->how != how) std::abort();
  return 0;
}
