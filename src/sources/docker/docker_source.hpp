// docker_source: the ports that containers of a Docker engine publish, and services of its swarm, by the Docker Engine
// API. podman serves that API too.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "containers/engine_source.hpp"
#include "http/connection.hpp"
#include "sources/docker/object_splitter.hpp"

namespace docker {

struct docker_options {
  http::server_address engine{.path = "/var/run/docker.sock"};
  std::shared_ptr<const http::tls_context> tls{};  // nothing: plain HTTP
  std::string api_version;                         // pins it, as DOCKER_API_VERSION does; empty: what the engine offers
  std::chrono::milliseconds deadline{10'000};      // for each call but the stream of events
  containers::engine_options following{};          // its socket is the engine's
};

// The engine that the environment names: DOCKER_HOST, DOCKER_API_VERSION, and, for one on TCP, DOCKER_CERT_PATH and
// DOCKER_TLS_VERIFY, with `socket` instead of DOCKER_HOST if it is not empty. Reads the certificates' files.
[[nodiscard]] base::result<docker_options> options_from_environment(const std::string& socket);

class docker_source : public containers::engine_source {
 public:
  docker_source(const io::executor& where, docker_options options);

 private:
  io::task<base::result<>> connect() override;
  io::task<base::error> read_events() override;
  io::task<base::result<containers::container_list>> list() override;
  io::task<base::result<std::optional<containers::container>>> ask(const std::string& id, unsigned slot) override;
  void disconnect() override;

  io::task<base::result<>> negotiate();
  io::task<base::error> read_stream();
  io::task<> inspect_all(http::connection& engine, containers::container_list& list);
  io::task<base::result<containers::container_list>> list_services(http::connection& engine);
  io::task<> add_services(http::connection& engine, containers::container_list& into);
  io::task<base::result<std::optional<containers::container>>> ask_container(http::connection& engine, std::string id);
  io::task<base::result<std::optional<containers::container>>> ask_service(http::connection& engine, std::string id);
  io::task<base::result<>> keep_open(std::optional<http::connection>& kept);
  io::task<base::result<std::string>> get(http::connection& engine, std::string path);
  base::result<> handle(std::string_view object);

  docker_options options_;
  std::string prefix_;      // "/v1.41"
  bool is_podman_ = false;  // its list has only the first port of a range
  object_splitter splitter_;
  std::optional<http::connection> events_;
  std::set<std::string> services_;  // those of the last list that was answered
  base::log::episode unknown_services_{"docker", "cannot list the services of the swarm"};
  std::vector<std::optional<http::connection>> kept_;  // one for each question that may be under way
};

}  // namespace docker
