#include "vtunnel/options.hpp"

#include <linux/vm_sockets.h>

#include "base/text.hpp"

namespace vtunnel {
namespace {

constexpr std::uint32_t first_guest_cid = 3;

constexpr auto description =
    "Carries TCP connections from a virtual machine to its host over virtual sockets (AF_VSOCK). vtunnel peer runs in "
    "the VM, vtunnel host outside, both with the same configuration.\n\n"
    "For each tunnel the peer listens on peer-address:peer-port; each connection there becomes one virtual socket to "
    "vsock-host-port of the host, and there one to upstream-server-address. Ends of streams and resets are passed on "
    "both ways. The host end begins with a tunnel when the peer, asked at handshake-port once a second, has answered "
    "with the seed phrase of vtunnel. In place of either port stands unix:/path where a VMM offers virtual sockets as "
    "UNIX sockets.\n\n"
    "    tunnel:\n"
    "      - name: tcpTunnel\n"
    "        handshake-port: 9090\n"
    "        vsock-host-port: 8989\n"
    "        peer-address: 127.0.0.1\n"
    "        peer-port: 3030\n"
    "        upstream-server-address: 127.0.0.1:4444\n\n"
    "upstream-server-address is IP:PORT or unix:/path. SIGTERM and SIGINT end the program with 0.";

base::result<> set_cid(options& into, std::string_view text) {
  const auto cid = base::parse_number<std::uint32_t>(text);
  if (!cid || *cid == 0 || *cid == VMADDR_CID_ANY) return base::fail("not a context id from 1 to 4294967294");
  into.cid = *cid;
  return {};
}

}  // namespace

std::optional<side> parse_side(std::string_view word) {
  if (word == "peer") return side::peer;
  if (word == "host") return side::host;
  return std::nullopt;
}

base::flag_set flags_for(options& into, std::optional<side> which) {
  if (!which)
    return {"vtunnel", "peer|host [flags]",
            std::string(description) + "\n\nvtunnel peer -h and vtunnel host -h list the flags of either end."};
  const bool peer = *which == side::peer;
  base::flag_set flags(peer ? "vtunnel peer" : "vtunnel host", "[flags]", description);
  into.cid = peer ? std::uint32_t{VMADDR_CID_HOST} : first_guest_cid;
  flags.add("config-path", into.config, "The configuration `file`.");
  flags.add("debug", into.debug, "Log more.");
  flags.add("logfile", into.log_file, "The `file` to which the log is appended; empty: stderr.");
  flags.add_checked(
      peer ? "host-cid" : "guest-cid", [&into](std::string_view text) { return set_cid(into, text); },
      std::to_string(into.cid),
      peer ? "The context `id` at which the host end is: 2 is the host, 1 this machine itself."
           : "The context `id` of the VM, in which the peer is; 1 is this machine itself.");
  return flags;
}

}  // namespace vtunnel
