// podman_engine: a real podman that serves the Docker API, inside a network namespace and a sandbox, with one image:
// the test's echo-server. Its networks are CNI's. It ends with the object.
//
// Tests control it by Docker's client, as users of `podman system service` do.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/sandbox.hpp"

namespace support {

class podman_engine {
 public:
  // Why it is not possible here; empty if it is.
  [[nodiscard]] static std::string missing();

  // Not started yet. `directory` holds all of its files; the caller removes it after the engine.
  podman_engine(const netns& where, std::filesystem::path directory);
  ~podman_engine();

  void start();  // returns when the API answers and the image exists; throws after 30 s
  void kill9();  // the containers live on

  [[nodiscard]] std::filesystem::path socket() const { return directory_ / "podman.sock"; }
  [[nodiscard]] std::string log() const { return read_text(directory_ / "podman.log"); }

  // `docker <arguments>`: its output without the last newline; throws with it if docker fails.
  std::string docker(std::vector<std::string> arguments) const;
  // Runs a container of that name that serves TCP port 80; `arguments` as `docker run` takes them ("-p", "8080:80").
  void run(const std::string& name, const std::vector<std::string>& arguments) const;

 private:
  [[nodiscard]] child_options client(std::vector<std::string> arguments) const;
  [[nodiscard]] std::vector<std::string> service() const;

  const netns& where_;
  std::filesystem::path directory_;
  std::string control_group_;
  sandbox box_;
  child_process daemon_;
};

}  // namespace support
