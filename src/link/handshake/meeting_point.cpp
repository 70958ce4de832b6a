#include "link/handshake/meeting_point.hpp"

#include <fcntl.h>
#include <linux/vm_sockets.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <system_error>
#include <utility>
#include <variant>

#include "base/result.hpp"
#include "link/handshake/phrase.hpp"
#include "link/link_url.hpp"
#include "net/stream_address.hpp"
#include "os/claimed_unix_path.hpp"
#include "os/vsock.hpp"

namespace handshake {
namespace {

using links::link_kind;

constexpr const char* data_suffix = ".data";
// Where the VMM connects to for a program of the VM that connects to the host's data port.
constexpr const char* vmm_data_suffix = "_6656";
static_assert(data_port == 6656);

}  // namespace

net::stream_address meeting_point::at(std::uint32_t cid, bool data) const {
  if (url_.kind == link_kind::vsock) return net::vsock_address{cid, data ? data_port : handshake_port};
  if (!data) return net::unix_path{url_.path};
  return net::unix_path{url_.path + (url_.kind == link_kind::firecracker ? vmm_data_suffix : data_suffix)};
}

phrase_place meeting_point::handshake() const {
  return {at(url_.number, false), url_.kind == link_kind::firecracker ? std::optional(handshake_port) : std::nullopt};
}

net::stream_address meeting_point::handshake_listener() const { return at(VMADDR_CID_ANY, false); }
net::stream_address meeting_point::data_listener() const { return at(VMADDR_CID_ANY, true); }

bool meeting_point::is_peer(int fd) const { return url_.kind != link_kind::vsock || os::peer_cid(fd) == url_.number; }

base::result<meeting_listener> meeting_listener::open(const net::stream_address& at) {
  meeting_listener made;
  if (const auto* path = std::get_if<net::unix_path>(&at)) {
    auto file = os::claimed_unix_path::claim(path->path);
    if (!file) return std::unexpected(file.error());
    made.file_.emplace(std::move(*file));
    return made;
  }
  const auto* port = std::get_if<net::vsock_address>(&at);
  if (port == nullptr) return base::fail(std::errc::address_family_not_supported, "listen on " + net::to_string(at));
  auto fd = os::listen_on_vsock(*port);
  if (!fd) return std::unexpected(fd.error());
  made.fd_ = std::move(*fd);
  return made;
}

base::result<base::unique_fd> meeting_listener::duplicate() const {
  base::unique_fd copy(::fcntl(file_ ? file_->fd() : fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return base::fail_errno("copy a listening socket");
  return copy;
}

}  // namespace handshake
