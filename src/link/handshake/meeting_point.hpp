// meeting_point: where host-switch and a VM's network-setup find each other: one port for the handshake, on which the
// VM listens, and one for the data connection, on which the host listens.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/handshake/phrase.hpp"
#include "link/link_url.hpp"
#include "net/stream_address.hpp"
#include "os/claimed_unix_path.hpp"

namespace handshake {

inline constexpr std::string_view network_phrase = "github.com/rancher-sandbox/rancher-desktop/src/go/networking";
inline constexpr std::uint32_t handshake_port = 6669, data_port = 6656;  // AF_VSOCK ports

class meeting_point {
 public:
  // `url`: vsock:// with the context id of the other side, handshake:// or, on the host, firecracker://.
  explicit meeting_point(links::link_url url) : url_(std::move(url)) {}

  // Where to connect to.
  [[nodiscard]] phrase_place handshake() const;
  [[nodiscard]] net::stream_address data() const { return at(url_.number, true); }
  // Where to listen; for virtual sockets with any context id.
  [[nodiscard]] net::stream_address handshake_listener() const;
  [[nodiscard]] net::stream_address data_listener() const;
  // Whether a connection comes from the other side's machine.
  [[nodiscard]] bool is_peer(int fd) const;

  [[nodiscard]] std::string name() const { return links::to_string(url_); }

 private:
  [[nodiscard]] net::stream_address at(std::uint32_t cid, bool data) const;

  links::link_url url_;
};

// A listening socket at a UNIX path or an AF_VSOCK port. Its destructor removes the socket file.
class meeting_listener {
 public:
  static base::result<meeting_listener> open(const net::stream_address& at);

  // A copy of the descriptor, for an acceptor.
  [[nodiscard]] base::result<base::unique_fd> duplicate() const;

 private:
  base::unique_fd fd_;
  std::optional<os::claimed_unix_path> file_;
};

}  // namespace handshake
