// tap_device: a tap interface of the kernel, of which this process is the other end: it reads the frames that the kernel
// sends, and writes those that the kernel receives. Each has a virtio-net header of 10 bytes in front (IFF_VNET_HDR), so
// that one device serves links with and without offload. The interface goes when the last descriptor is closed.
//
// It belongs to the network namespace of the thread that opened it. Address, MTU and state are set by netlink
// (kernel/netlink/interface.hpp). Non-blocking; one thread uses it at a time. From linux/if_tun.h and
// Documentation/networking/tuntap.rst.
#pragma once

#include <span>
#include <string>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/framing.hpp"

namespace links {

class tap_device {
 public:
  // file_exists: an interface of that name exists. permission_denied or operation_not_permitted: not root, or no
  // /dev/net/tun.
  static base::result<tap_device> open(const std::string& name);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const std::string& name() const { return name_; }

  // Whether the kernel may send TCP segments of up to 64 KB and leave checksums open; at first it may not. Frames that
  // wait in the device's queue keep the form that they have.
  base::result<> set_offload(bool on);

  // One frame with its header; empty if none waits. `into`: room for the header and the largest frame. Any error is that
  // of the device: it is down (EIO) or has been removed (EBADFD).
  [[nodiscard]] base::result<bytes_span> read(bytes_span into) const;
  // False: the kernel refused the frame, as it does a malformed one, or has no memory for it now.
  [[nodiscard]] bool write(bytes_view header, bytes_view frame) const;

 private:
  tap_device(base::unique_fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  base::unique_fd fd_;
  std::string name_;
};

}  // namespace links
