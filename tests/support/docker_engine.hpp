// docker_engine: a real dockerd with its own containerd, inside a network namespace and a sandbox, with one image: the
// test's echo-server. It ends with the object, except for objects that the kernel needs a moment to destroy.
//
// dockerd is started without `ip netns exec`, which would hide the control groups from it.
#pragma once

#include <chrono>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/child_process.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/sandbox.hpp"

namespace support {

enum class iptables_variant { nft, legacy };
inline std::ostream& operator<<(std::ostream& to, iptables_variant v) {
  return to << (v == iptables_variant::nft ? "nft" : "legacy");
}

// Makes links, so that a PATH that begins with the directory finds this variant as iptables.
void make_tool_directory(const std::filesystem::path& directory, iptables_variant variant);

// All rules of a namespace, as both variants of iptables-save print them, without counters, and the chains that differ
// from a fresh table; sorted.
[[nodiscard]] std::vector<std::string> iptables_rules(const netns& where);

struct docker_options {
  iptables_variant iptables = iptables_variant::nft;  // the iptables in dockerd's PATH
  bool writes_rules = true;  // false: dockerd --iptables=false, ports are reached by its userland proxies only
  std::string bridge_address = "10.99.0.1/24";
};

class docker_engine {
 public:
  // Not started yet. `directory` holds all of its files; the caller removes it after the engine.
  docker_engine(const netns& where, std::filesystem::path directory, docker_options options = {});
  ~docker_engine();

  void start();   // returns when the API answers and the image exists; throws after 30 s
  void launch();  // only starts the program
  void stop();    // SIGTERM: it stops the containers
  void kill9();   // the containers live on until the next start

  [[nodiscard]] std::filesystem::path socket() const { return directory_ / "docker.sock"; }
  [[nodiscard]] std::string log() const { return read_text(directory_ / "dockerd.log"); }

  // `docker <arguments>`: its output without the last newline; throws with it if docker fails.
  std::string docker(std::vector<std::string> arguments,
                     std::chrono::milliseconds limit = std::chrono::seconds(60)) const;
  // The same, without waiting.
  [[nodiscard]] child_process docker_started(std::vector<std::string> arguments) const;
  // Runs a container that serves `ports` ("tcp:80", "udp:53", "tcp:1000-1999"), named and with that host name;
  // `arguments` as `docker run` takes them ("-p", "8080:80").
  void run(const std::string& name, const std::vector<std::string>& arguments,
           const std::vector<std::string>& ports = {"tcp:80"}) const;
  [[nodiscard]] static std::vector<std::string> run_arguments(const std::string& name,
                                                              const std::vector<std::string>& arguments,
                                                              const std::vector<std::string>& ports = {"tcp:80"});

  [[nodiscard]] std::vector<std::string> rules() const { return iptables_rules(where_); }

 private:
  [[nodiscard]] child_options client(std::vector<std::string> arguments) const;
  void make_image_archive() const;
  [[nodiscard]] bool answers() const;

  const netns& where_;
  std::filesystem::path directory_;
  docker_options options_;
  std::string control_group_;
  sandbox box_;
  child_process daemon_;
};

}  // namespace support
