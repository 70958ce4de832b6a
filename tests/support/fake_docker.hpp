// fake_docker: a Docker engine's API for tests: ping, events, list and inspect over a real UNIX socket, with the
// misbehaviour that a test configures. Runs on the test's loop.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "async/task_group.hpp"
#include "http/server.hpp"

namespace support {

class fake_docker {
 public:
  struct container {
    std::string name;
    std::string ports_json = "{}";  // NetworkSettings.Ports of an inspect
    std::string list_json = "[]";   // Ports of a list
    bool running = true;
    bool paused = false;  // runs, but is not "running" to the filter of a list
  };

  fake_docker(async::executor where, std::filesystem::path socket)
      : where_(std::move(where)), socket_(std::move(socket)), changed_(where_) {}

  // The socket appears, or disappears with every connection.
  void start();
  void stop();

  // A container that publishes `host_port` on `host_ip` for its port 80/tcp, with its event.
  void run(const std::string& id, std::uint16_t host_port, const std::string& host_ip = "0.0.0.0");
  void end(const std::string& id);  // die, then stop
  void emit(const std::string& action, const std::string& id);
  void emit_text(std::string event);
  void emit_of_network(const std::string& action, const std::string& id);  // as Docker does
  void end_streams();                                                      // every answer to /events ends

  std::map<std::string, container> containers;
  std::string api_version = "1.41";
  std::string separator = "\n";                            // between events
  std::map<std::string, http::response> instead{};         // answers about a container
  std::string label;                                       // of every event
  std::set<std::string> hung{};                            // containers whose inspects are never answered
  std::string swarm = R"({"LocalNodeState":"inactive"})";  // the swarm in /info
  std::map<std::string, std::string> services{};           // of the swarm: id, JSON
  http::response refused_events{};                         // the answer to /events if its status is not 200
  bool holds_header = false;                               // /events sends its header with the first event
  bool is_podman = false;                                  // identifies itself as podman, and lists no ports
  bool hangs = false;                                      // accepts and never answers
  bool silent = false;                                     // loses events
  bool list_is_stale = false;                              // the list still shows ended containers
  unsigned pings = 0, lists = 0, inspects = 0, subscribers = 0;
  std::vector<std::string> targets;  // the requested targets

 private:
  static async::task<http::answer> handle(fake_docker* self, http::incoming in);
  static async::task<> stream(fake_docker* self, std::size_t sent, http::stream_writer write);
  std::string list(bool with_paused) const;
  http::answer inspect(const std::string& id) const;

  async::executor where_;
  std::filesystem::path socket_;
  async::condition changed_;
  std::vector<std::string> log_;  // all events ever
  unsigned streams_ended_ = 0;
  std::unique_ptr<async::task_group> tasks_;
};

}  // namespace support
