// docker_source: publishes the ports of a Docker engine's containers and of its swarm's services, from the Docker
// Engine API. podman serves that API, too.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "http/connection.hpp"
#include "json/stream_splitter.hpp"
#include "sources/docker/docker_codec.hpp"
#include "sources/engine/engine_source.hpp"

namespace docker {

struct docker_options {
  http::server_address engine{.path = "/var/run/docker.sock"};
  std::shared_ptr<const http::tls_context> tls{};  // nothing: plain HTTP
  std::string api_version;                         // fixed by DOCKER_API_VERSION; empty: negotiated
  std::chrono::milliseconds deadline{10'000};      // for each call except the event stream
  engine::engine_options following{};              // its socket is the engine's
};

// The engine that the environment names: DOCKER_HOST, DOCKER_API_VERSION, and for TCP DOCKER_CERT_PATH and
// DOCKER_TLS_VERIFY. A `socket` that is not empty replaces DOCKER_HOST. Reads the certificates' files.
[[nodiscard]] base::result<docker_options> options_from_environment(const std::string& socket);

class docker_source : public engine::engine_source {
 public:
  docker_source(const async::executor& where, docker_options options);

 private:
  async::task<base::result<>> open_connection() override;
  async::task<base::error> read_events() override;
  async::task<base::result<engine::container_list>> list() override;
  async::task<base::result<std::optional<engine::container>>> ask(const std::string& id, unsigned slot) override;
  void disconnect() override;

  async::task<base::result<>> negotiate();
  async::task<base::error> read_stream();
  async::task<> inspect_all(http::connection& engine, engine::container_list& list);
  async::task<base::result<engine::container_list>> list_services(http::connection& engine);
  async::task<> add_services(http::connection& engine, engine::container_list& into);
  async::task<base::result<std::optional<engine::container>>> ask_container(http::connection& engine, std::string id);
  async::task<base::result<std::optional<engine::container>>> ask_service(http::connection& engine, std::string id);
  using connection_ptr = std::unique_ptr<http::connection>;
  async::task<base::result<connection_ptr>> open_another();
  // One that is kept, or another one.
  async::task<base::result<connection_ptr>> take_connection();
  void give_back(connection_ptr used);
  async::task<base::result<std::string>> get(http::connection& engine, std::string path);
  base::result<> handle(std::string_view object);

  docker_options options_;
  std::string prefix_;      // "/v1.41"
  bool is_podman_ = false;  // whose list has only the first port of a range
  json::stream_splitter splitter_{event_limits};
  std::unique_ptr<http::connection> events_;
  std::set<std::string> services_;  // of the last successful list
  base::log::episode unknown_services_{"docker", "cannot list the services of the swarm"};
  std::vector<connection_ptr> kept_;  // idle, for questions; at most one for each that may be under way
};

}  // namespace docker
