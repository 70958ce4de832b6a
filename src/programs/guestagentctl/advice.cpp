#include "programs/guestagentctl/advice.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "protocols/status_document/document.hpp"

namespace guestagentctl {
namespace {

struct advice {
  std::string_view about;
  std::string_view text;
};

constexpr std::array by_state{
    advice{"applied", "nothing: it is open; if it does not answer, look at the server itself"},
    advice{"foreign", "nothing: another program opened exactly this port; the agent does not remove it"},
    advice{"pending", "nothing: it is about to be requested; wait a second"},
    advice{"conflict", "free the port at the peer, or publish another one; the agent retries"},
    advice{"retrying", "remove the cause; the agent retries"},
    advice{"refused", "remove the cause that the peer names; the agent retries within a minute"},
    advice{"down", "start the peer, or correct its address; the agent connects by itself"},
    advice{"restricted", "publish a port from 1024 on, or install with administrator rights"},
    advice{"shadowed", "publish one of the two on another port of the host"},
    advice{"covered", "nothing: the wildcard of the same port is open and serves it"},
    advice{"ignored", "change the port rule that leaves it out"},
    advice{"removing", "nothing: it is about to be closed; wait a second"},
    advice{"leftover", "start the engine that published it, or wait a minute"},
};

constexpr std::array by_kind{
    advice{"ignored", "take the port out of -ignore-listeners"},
    advice{"multicast", "nothing: multicast stays in its network; let the server listen on an address of the VM, too"},
    advice{"client-port", "let the server listen on a port outside net.ipv4.ip_local_port_range, or narrow that range"},
    advice{"device", "let the server listen on all interfaces, without SO_BINDTODEVICE and a link-local address"},
    advice{"momentary", "nothing: it is decided within a second"},
    advice{"agent", "nothing: the agent itself listens there for another port"},
    advice{"engine", "nothing: the engine's own source publishes the ports of its containers"},
    advice{"starting", "nothing: it is decided within half a minute, when the engine serves its socket"},
    advice{"reserver", "nothing: the container's own source publishes the port"},
    advice{"kernel", "run the server where the agent sees its process; the kernel's own ports are not published"},
    advice{"unknown-owner", "give the agent CAP_SYS_PTRACE"},
};

template <class Table>
std::string_view find(const Table& table, std::string_view about) {
  const auto at = std::ranges::find(table, about, &advice::about);
  return at == table.end() ? std::string_view() : at->text;
}

}  // namespace

std::string_view advice_on_state(std::string_view state, const status_document::port& port) {
  if (state != "unsupported") return find(by_state, state);
  return port.protocol == "sctp" ? "publish the port over TCP or UDP"
                                 : "give it on the host the number that it has inside the VM";
}

std::string_view advice_on_refusal(const status_document::refusal& refusal) {
  return refusal.kind.empty() ? "correct what the source names" : find(by_kind, refusal.kind);
}

}  // namespace guestagentctl
