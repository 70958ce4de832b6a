// fake_containerd: containerd's gRPC API for tests: events, namespaces, containers and tasks over real HTTP/2 on a real
// UNIX socket, with the misbehaviour that a test configures. Has a thread of its own; every member may be called at any
// time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace support {

// What goes wrong with each answer.
enum class answer_fault : std::uint8_t {
  none,
  refused,    // grpc-status 14 and a text
  no_status,  // ends without trailers
  no_message,
  two_messages,
  half_a_message,
  compressed,
  endless,     // a message of 4 GiB is announced
  damaged,     // a message that no one can parse
  http_error,  // 503
  web_page,    // text/html
  large_header,
  reset,           // RST_STREAM
  cancelled,       // RST_STREAM with CANCEL, as at a call's deadline
  goes_away,       // GOAWAY
  cut,             // the connection closes in the middle
  other_protocol,  // bytes that are not HTTP/2
};

class fake_containerd {
 public:
  using label_map = std::map<std::string, std::string>;

  explicit fake_containerd(const std::filesystem::path& socket);
  fake_containerd(const fake_containerd&) = delete;
  fake_containerd& operator=(const fake_containerd&) = delete;
  ~fake_containerd();

  // The socket appears, or disappears with every connection.
  void start();
  void stop();

  // A running container, with its event; and one that publishes `host_port` for its port 80.
  void run(const std::string& name_space, const std::string& id, const label_map& labels);
  void run(const std::string& id, std::uint16_t host_port);
  // Its task ends, with the event; the container stays.
  void end(const std::string& name_space, const std::string& id);
  // New labels, with the event.
  void update(const std::string& name_space, const std::string& id, const label_map& labels);
  void pause(const std::string& name_space, const std::string& id);
  // containerd cannot determine the state of its task.
  void hang_shim(const std::string& name_space, const std::string& id, bool hangs);
  // Removes it without an event, as if it had never existed.
  void forget(const std::string& name_space, const std::string& id);

  // Events without effect: the end of another process in the container, a topic with these bytes.
  void end_other_process(const std::string& name_space, const std::string& id);
  void emit(const std::string& name_space, const std::string& topic, const std::string& payload);

  void set_silent(bool loses_events);
  void set_fault(answer_fault fault);  // of the calls from now on
  void set_hanging(bool never_answers);
  [[nodiscard]] unsigned subscribers() const;  // now
  [[nodiscard]] unsigned lists() const;        // of containers, ever
  [[nodiscard]] unsigned questions() const;    // about a container, ever

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace support
