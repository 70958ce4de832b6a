// link_url: the place that a link comes from, as given to -listen and -connect. Pure.
//
//   vsock://CID          virtual sockets, with the handshake (handshake/)
//   unix://PATH          a UNIX stream socket, frames with 2 bytes of length; offload is negotiated in-band
//   qemu://PATH          the same with 4 bytes of length, for QEMU's -netdev stream
//   unixgram://PATH      UNIX datagrams, one frame each
//   fd://N               an open descriptor, a connected socket; its type decides whether it is a stream
//   handshake://PATH     the handshake of vsock://, over UNIX sockets: PATH, and PATH.data for the data connection
//   firecracker://PATH   the same, where a VMM offers its VM's virtual sockets as UNIX sockets: PATH, and PATH_6656
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "link/framing.hpp"

namespace links {

enum class link_kind : std::uint8_t { vsock, unix_stream, qemu, unix_datagram, descriptor, handshake, firecracker };

struct link_url {
  link_kind kind = link_kind::vsock;
  std::string path;          // of UNIX sockets
  std::uint32_t number = 0;  // the context id, or the descriptor

  static base::result<link_url> parse(std::string_view text);
  bool operator==(const link_url&) const = default;
};

[[nodiscard]] std::string to_string(const link_url& url);
// For a stream.
[[nodiscard]] constexpr framing framing_of(link_kind kind) {
  return kind == link_kind::qemu ? framing::qemu : framing::stdio;
}

}  // namespace links
