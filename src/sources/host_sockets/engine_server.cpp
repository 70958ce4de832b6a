#include "sources/host_sockets/engine_server.hpp"

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "base/read_file.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "os/connect.hpp"

namespace host_sockets {
namespace {

constexpr std::size_t most_bytes = 16 << 20;  // a hundred thousand sockets

bool is_absent(const std::error_code& why) {
  return why == std::errc::no_such_file_or_directory || why == std::errc::connection_refused ||
         why == std::errc::not_a_directory;
}

// "0000000000000000: 00000002 00000000 00010000 0001 01 25847 /run/docker.sock": the inode, if that is the path.
std::optional<std::uint32_t> inode_of_line(std::string_view line, std::string_view path) {
  constexpr std::string_view listens = "00010000 0001 01 ";
  const auto at = line.find(listens);
  if (at == std::string_view::npos) return std::nullopt;
  const auto rest = base::trim(line.substr(at + listens.size()));
  const auto space = rest.find(' ');
  if (space == std::string_view::npos || base::trim(rest.substr(space)) != path) return std::nullopt;
  return base::parse_number<std::uint32_t>(rest.substr(0, space));
}

}  // namespace

base::result<std::optional<server_claim>> find_server(const std::filesystem::path& socket) {
  const auto& path = socket.native();
  const auto fd = os::connect_now({path});
  if (!fd && is_absent(fd.error().code)) return std::nullopt;
  if (!fd) return std::unexpected(fd.error());
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd->get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return base::fail_errno("SO_PEERCRED of " + path);
  return server_claim{peer.pid};
}

base::result<std::optional<std::uint32_t>> find_bound_socket(const std::filesystem::path& socket, pid_t in) {
  std::error_code failed;
  auto path = std::filesystem::canonical(socket, failed);
  if (failed) path = socket;
  const auto list = base::read_file("/proc/" + std::to_string(in) + "/net/unix", {.bytes = most_bytes});
  if (!list) return std::unexpected(list.error());
  for (const auto line : base::split(*list, '\n')) {
    auto inode = inode_of_line(line, path.native());
    if (!inode && path != socket) inode = inode_of_line(line, socket.native());
    if (inode) return inode;
  }
  return std::nullopt;
}

}  // namespace host_sockets
