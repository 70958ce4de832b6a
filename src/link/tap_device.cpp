#include "link/tap_device.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <system_error>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/framing.hpp"

namespace links {
namespace {

constexpr const char* clone_device = "/dev/net/tun";
constexpr std::array<std::uint8_t, virtio_header_size> plain_header{};

// IFF_TUN_EXCL refuses a tap of that name, also a persistent one; TUNSETIFF refuses other interfaces.
base::result<> attach(int fd, const std::string& name) {
  ifreq request{};
  if (name.empty() || name.size() >= sizeof request.ifr_name)
    return base::fail(std::errc::invalid_argument,
                      "the name of the interface has " + std::to_string(name.size()) + " bytes");
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
  if (::ioctl(fd, TUNSETIFF, &request) == 0) return {};
  if (errno == EBUSY || errno == EEXIST || errno == EINVAL)
    return base::fail(std::errc::file_exists, "interface " + name + " exists, or its name is not allowed");
  return base::fail_errno("make the tap interface " + name);
}

base::result<> set_header_format(int fd) {
  int size = virtio_header_size, little_endian = 1;
  if (::ioctl(fd, TUNSETVNETHDRSZ, &size) != 0) return base::fail_errno("header size of the tap interface");
  if (::ioctl(fd, TUNSETVNETLE, &little_endian) != 0) return base::fail_errno("header format of the tap interface");
  return {};
}

}  // namespace

base::result<tap_device> tap_device::open(const std::string& name) {
  base::unique_fd fd(::open(clone_device, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return base::fail_errno(std::string("open ") + clone_device);
  if (auto done = attach(fd.get(), name); !done) return std::unexpected(done.error());
  if (auto done = set_header_format(fd.get()); !done) return std::unexpected(done.error());
  tap_device made(std::move(fd), name);
  if (auto done = made.set_offload(false); !done) return std::unexpected(done.error());
  return made;
}

base::result<> tap_device::set_offload(bool on) {
  const unsigned features = on ? TUN_F_CSUM | TUN_F_TSO4 : 0;
  if (::ioctl(fd_.get(), TUNSETOFFLOAD, features) != 0) return base::fail_errno("offload of the tap interface");
  return {};
}

base::result<bytes_span> tap_device::read(bytes_span into) const {
  while (true) {
    const auto got = ::read(fd_.get(), into.data(), into.size());
    if (got >= 0) return into.first(static_cast<std::size_t>(got));
    if (errno == EAGAIN) return bytes_span{};
    if (errno != EINTR) return base::fail_errno("read from the tap interface");
  }
}

bool tap_device::write(bytes_view header, bytes_view frame) const {
  if (header.empty()) header = plain_header;
  std::array<iovec, 2> parts{
      iovec{const_cast<std::uint8_t*>(header.data()), header.size()},  // iovec has no const variant
      iovec{const_cast<std::uint8_t*>(frame.data()), frame.size()}};
  while (true) {
    if (::writev(fd_.get(), parts.data(), parts.size()) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

}  // namespace links
