#include <cstdlib>

#include "base/text.hpp"
#include "sources/docker/docker_codec.hpp"
#include "sources/docker/docker_source.hpp"

namespace docker {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

base::result<docker_options> options_from_environment(const std::string& socket) {
  docker_options options;
  const auto host = variable("DOCKER_HOST");
  if (!socket.empty() || !host.empty()) {
    auto engine = http::parse_server_address(socket.empty() ? host : "unix://" + socket);
    if (!engine) return base::fail((socket.empty() ? "DOCKER_HOST: " : "-docker-socket: ") + engine.error().message());
    options.engine = std::move(*engine);
  }
  const bool over_tcp = options.engine.path.empty();
  if (over_tcp && !variable("DOCKER_TLS_VERIFY").empty())
    return base::fail("DOCKER_TLS_VERIFY: TLS to the Docker engine is not supported yet");
  options.api_version = variable("DOCKER_API_VERSION");
  if (!options.api_version.empty() && !choose_version(options.api_version))
    return base::fail("DOCKER_API_VERSION: \"" + base::printable(options.api_version) + "\" is no version like 1.41");
  return options;
}

}  // namespace docker
