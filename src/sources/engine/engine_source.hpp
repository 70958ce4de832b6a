// engine_source: the part that all sources of container engines share. It connects as soon as the engine's socket
// exists, subscribes to events, then lists the containers. It asks about every container that starts or changes, and
// lists again from time to time in case an event was lost. While the engine is away the source is degraded and its last
// ports stay.
//
// A derived class knows the engine's API: it implements the five methods below.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/condition.hpp"
#include "async/work_signal.hpp"
#include "base/episode.hpp"
#include "os/file_watch.hpp"
#include "ports/change_trace.hpp"
#include "ports/source.hpp"
#include "sources/engine/container_set.hpp"
#include "sources/engine/stopped_containers.hpp"

namespace engine {

struct engine_options {
  std::filesystem::path socket{};                 // watched until it appears; empty: the engine is not on a UNIX socket
  std::chrono::milliseconds first_list{1'000};    // at the latest, if the engine does not acknowledge the subscription
  std::chrono::milliseconds second_list{2'000};   // after the first of a connection
  std::chrono::milliseconds relist{300'000};      // between the lists that follow
  unsigned questions = 4;                         // about containers, at the same time
  std::shared_ptr<stopped_containers> stopped{};  // receives containers that do not run; may be nullptr
  std::shared_ptr<ports::change_trace> trace{};   // learns when events came; may be nullptr
  std::chrono::milliseconds stopped_kept{30'000};  // while the engine exists and does not answer
};

class engine_source : public ports::source {
 public:
  engine_source(const async::executor& where, ports::source_id id, engine_options options);

  [[nodiscard]] ports::source_id id() const override { return id_; }
  async::task<> run(ports::source_feed& feed) override;

 protected:
  // Makes a new connection, and drops the remains of an earlier one.
  virtual async::task<base::result<>> open_connection() = 0;
  // Subscribes, calls subscribed() when the engine has acknowledged that, and reports every event by ask_about() and
  // ended() until the connection ends. Returns the reason.
  virtual async::task<base::error> read_events() = 0;
  virtual async::task<base::result<container_list>> list() = 0;
  // One container; nothing if it does not run or does not exist. Fails with resource_unavailable_try_again or timed_out
  // if the engine does not know at present: the question is then repeated. `slot` numbers the concurrent questions from
  // 0.
  virtual async::task<base::result<std::optional<container>>> ask(const std::string& container_id, unsigned slot) = 0;
  // After the connection's last task has ended.
  virtual void disconnect() = 0;

  // For read_events().
  void subscribed();
  void events_read();  // before they are parsed
  void ask_about(const std::string& container_id);
  void ended(const std::string& container_id);
  void flush();  // after each batch, for it to be published
  // Lists within a second: an event was lost, or describes no single container.
  void list_soon();

 private:
  struct disconnection {
    engine_source& source;
    ~disconnection() { source.disconnect(); }
  };
  async::task<base::result<>> follow_engine(ports::source_feed& feed);
  async::task<> publish_changes(ports::source_feed& feed);
  async::task<> follow_events();
  async::task<> list_again();
  async::task<> wait_for_subscription();
  async::task<> wait_for_next_list(std::chrono::milliseconds at_most);
  async::task<> ask_questions(unsigned slot);
  void fail(base::error why);
  void trace_event(const std::string& container_id);
  void publish(ports::source_feed& feed);
  void doubt_stopped(bool absent);

  ports::source_id id_;
  engine_options options_;
  container_set containers_;
  async::condition changed_;         // a change to publish, or a failure
  async::work_signal question_due_;  // for the slots
  async::condition list_due_;
  base::result<> connection_;                             // the failure that ended the present one, if any
  async::clock::time_point read_{};                       // the last events; only with a trace
  async::clock::time_point heard_ = async::clock::now();  // when the last connection with a list ended
  std::uint64_t epoch_ = 0;
  bool published_ = false;  // since the present connection was made
  bool subscribed_ = false, list_wanted_ = false;
  base::log::episode silent_events_;
  std::optional<os::file_watch> watch_;
};

}  // namespace engine
