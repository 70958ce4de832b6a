#include "programs/guestagentctl/agent_network.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "net/stream_address.hpp"
#include "os/connect.hpp"
#include "os/namespaces.hpp"

namespace guestagentctl {

bool is_in_other_network(const std::string& socket) {
  const auto connection = os::connect_now(net::unix_path{socket});
  if (!connection) return false;
  ucred agent{};
  socklen_t size = sizeof agent;
  // 0: a process of another pid namespace
  if (::getsockopt(connection->get(), SOL_SOCKET, SO_PEERCRED, &agent, &size) != 0 || agent.pid == 0) return false;
  const auto there = os::net_namespace_of(agent.pid), here = os::net_namespace_of(::getpid());
  return there && here && !os::is_same_namespace(there->get(), here->get());
}

}  // namespace guestagentctl
