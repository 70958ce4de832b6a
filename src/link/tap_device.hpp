// tap_device: this process's end of a tap interface: it reads the frames that the kernel sends, and writes those that
// the kernel receives. Each follows a virtio-net header of 10 bytes (IFF_VNET_HDR), so that one device serves links
// with and without offload. The kernel removes the interface when the last descriptor is closed.
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

  // Permits or forbids the kernel to send TCP segments of up to 64 KB and leave checksums open; forbidden at first.
  // Frames that wait in the device's queue are not changed.
  base::result<> set_offload(bool on);

  // One frame with its header; empty if none waits. `into`: room for the header and the largest frame. Any error is the
  // device's: it is down (EIO) or has been removed (EBADFD).
  [[nodiscard]] base::result<bytes_span> read(bytes_span into) const;
  // False: the kernel refused the frame as malformed, or has no memory for it at the moment.
  [[nodiscard]] bool write(bytes_view header, bytes_view frame) const;

 private:
  tap_device(base::unique_fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  base::unique_fd fd_;
  std::string name_;
};

}  // namespace links
