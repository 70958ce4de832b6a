// The status document: how the agent describes itself at /v1/status. Plain values; the agent fills them, guestagentctl
// shows them, document_codec has their JSON.
//
// States, decisions and names are text: a reader shows one that it does not know. Times are UTC,
// "2026-11-24T00:21:51Z". An empty `reason` means that there is none, and an empty optional that the number does not
// apply.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace status_document {

// Something of a source that cannot be published.
struct refusal {
  std::string owner{};
  std::string what{};  // "70000/tcp"; of a socket "0.0.0.0:53/udp"
  std::string why{};
  std::string kind{};  // of a socket that is not published: "ignored", "device" …; empty: it has none
  bool operator==(const refusal&) const = default;
};

// A container that runs and publishes no port.
struct container {
  std::string owner{};
  std::string name{};  // of the owner
  bool operator==(const container&) const = default;
};

struct source {
  std::string name{};
  std::string state{};  // "ok", "degraded" or "waiting"
  std::string reason{};
  std::uint64_t bindings = 0;
  std::vector<refusal> refusals{};
  std::vector<container> without_ports{};
  std::uint64_t more_without_ports = 0;  // that are not named
  bool operator==(const source&) const = default;
};

struct peer {
  std::string name{};
  std::string state{};  // "synced", "syncing" …; "down" and "degraded" have a reason
  std::string reason{};
  std::optional<std::int64_t> retry_in_ms{};
  std::uint64_t applied = 0;  // how many forwards it holds
  bool operator==(const peer&) const = default;
};

// One source's statement about a port.
struct claim {
  std::string source{};
  std::string owner{};
  std::string name{};  // of the owner
  std::string address{};
  std::uint16_t container_port = 0;
  bool operator==(const claim&) const = default;
};

// One port at one peer.
struct peer_port {
  std::string name{};   // of the peer
  std::string state{};  // "applied", "foreign", "pending", "conflict" …
  std::string reason{};
  std::string since{};  // empty: the peer does not hold it
  std::optional<std::int64_t> retry_in_ms{};
  bool operator==(const peer_port&) const = default;
};

struct port {
  std::string protocol{};
  std::string address{};
  std::uint16_t number = 0;
  std::optional<std::uint16_t> guest_port{};  // inside the VM, where a port rule gave the host's another number
  std::string guest_address{};  // where it answers inside the VM; a wildcard: at each IPv4 address; empty: not known
  std::optional<std::uint16_t> container_port{};
  std::string source{};
  std::string owner{};
  std::string name{};      // of the owner
  std::string decision{};  // "exposed", "restricted" …; or leftover_decision
  std::string reason{};
  std::string rule{};  // the port rule that decided; empty: none did
  std::vector<claim> claims{};
  std::vector<peer_port> peers{};
  bool operator==(const port&) const = default;
};

// The decision on a port that is not published any more and may still be open at a peer.
inline constexpr std::string_view leftover_decision = "leftover";

struct document {
  std::string version{};
  std::string mode{};
  std::string started{};
  std::string now{};
  std::string rules_trouble{};  // why the file of the port rules is refused, and older rules count
  std::vector<source> sources{};
  std::vector<peer> peers{};
  std::vector<port> ports{};
  bool operator==(const document&) const = default;
};

}  // namespace status_document
