// docker_source: the ports that containers of a Docker engine publish. Connects the moment the engine's socket is there,
// subscribes to events, then lists; keeps up by events, asks about every container that starts, and lists again from time
// to time in case an event was lost. While the engine is away it is degraded and its last ports stay.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/connection.hpp"
#include "io/condition.hpp"
#include "io/file_watch.hpp"
#include "ports/source.hpp"
#include "sources/docker/container_set.hpp"
#include "sources/docker/object_splitter.hpp"

namespace docker {

struct docker_options {
  http::server_address engine{.path = "/var/run/docker.sock"};
  std::string api_version;  // pins it, as DOCKER_API_VERSION does; empty: what the engine offers
  std::chrono::milliseconds deadline{10'000};  // for each call
  std::chrono::milliseconds second_list{2'000};  // after the first of a connection
  std::chrono::milliseconds relist{300'000};     // how often to list unprompted from then on
  unsigned questions = 4;                      // about containers, under way at once
};

// The engine that the environment names: DOCKER_HOST, DOCKER_API_VERSION, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH, with
// `socket` instead of DOCKER_HOST if it is not empty. TLS is an error: it is not supported yet.
[[nodiscard]] base::result<docker_options> options_from_environment(const std::string& socket);

class docker_source : public ports::source {
 public:
  docker_source(const io::executor& where, docker_options options);

  [[nodiscard]] ports::source_id id() const override { return ports::source_id::docker; }
  io::task<> run(ports::source_feed& feed) override;

 private:
  io::task<base::result<>> follow_engine(ports::source_feed& feed);
  io::task<base::result<>> negotiate();
  io::task<base::result<http::connection>> subscribe();
  io::task<> read_events(http::connection stream);
  io::task<> list_again();
  io::task<> ask_questions();
  io::task<base::result<std::string>> get(std::optional<http::connection>& kept, std::string path);
  io::task<> wait_for_engine(std::chrono::milliseconds at_most);
  void handle(std::string_view object);
  void fail(base::error why);
  void publish(ports::source_feed& feed);

  docker_options options_;
  container_set containers_;
  object_splitter splitter_;
  io::condition changed_;          // something to ask, to publish, or to fail for
  std::optional<base::error> failure_;  // of the present connection
  std::string prefix_;             // "/v1.41"
  std::uint64_t epoch_ = 0;
  bool published_ = false;         // since the present connection was made
  std::optional<io::file_watch> watch_;
};

}  // namespace docker
