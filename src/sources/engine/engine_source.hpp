// engine_source: what all sources that follow a container engine have in common. The engine is connected to the moment
// its socket is there, its events are subscribed to, then its containers are listed; every container that starts or
// changes is asked about, and the list is read again from time to time in case an event was lost. While the engine is
// away the source is degraded and its last ports stay.
//
// What an engine's API is, is the derived class's business: it answers the five questions below.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/condition.hpp"
#include "base/episode.hpp"
#include "os/file_watch.hpp"
#include "ports/source.hpp"
#include "sources/engine/container_set.hpp"
#include "sources/engine/stopped_containers.hpp"

namespace engine {

struct engine_options {
  std::filesystem::path socket{};                  // watched for its coming; empty: the engine is not on a UNIX socket
  std::chrono::milliseconds first_list{1'000};     // at the latest, if the engine does not acknowledge the subscription
  std::chrono::milliseconds second_list{2'000};    // after the first of a connection
  std::chrono::milliseconds relist{300'000};       // how often to list unprompted from then on
  unsigned questions = 4;                          // about containers, under way at once
  std::shared_ptr<stopped_containers> stopped{};   // where to note containers that do not run; may be nullptr
  std::chrono::milliseconds stopped_kept{30'000};  // while the engine is there, and does not answer
};

class engine_source : public ports::source {
 public:
  engine_source(const async::executor& where, ports::source_id id, engine_options options);

  [[nodiscard]] ports::source_id id() const override { return id_; }
  async::task<> run(ports::source_feed& feed) override;

 protected:
  // A new connection: whatever an earlier one left is given up.
  virtual async::task<base::result<>> open_connection() = 0;
  // Subscribes, calls subscribed() when the engine has acknowledged that, and reports every event by ask_about() and
  // ended() until the connection ends; answers why it did.
  virtual async::task<base::error> read_events() = 0;
  virtual async::task<base::result<container_list>> list() = 0;
  // One container; nothing where it does not run or is not there. Fails with resource_unavailable_try_again or
  // timed_out where the engine cannot tell at present: it is asked again then. `slot` counts the questions under way at
  // once from 0.
  virtual async::task<base::result<std::optional<container>>> ask(const std::string& container_id, unsigned slot) = 0;
  // After the connection's last task has ended.
  virtual void disconnect() = 0;

  // For read_events().
  void subscribed();
  void ask_about(const std::string& container_id);
  void ended(const std::string& container_id) { containers_.ended(container_id, async::clock::now()); }
  void flush() { changed_.notify_all(); }  // after each batch, for it to be published
  // Something was lost, or happened that no event describes: a list is asked for within a second.
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
  async::task<> wait_for_engine(std::chrono::milliseconds at_most);
  void fail(base::error why);
  void publish(ports::source_feed& feed);
  void doubt_stopped(bool absent);

  ports::source_id id_;
  engine_options options_;
  container_set containers_;
  async::condition changed_;                              // something to ask, to publish, or to fail for
  std::optional<base::error> failure_;                    // of the present connection
  async::clock::time_point heard_ = async::clock::now();  // when the last connection with a list ended
  std::uint64_t epoch_ = 0;
  bool published_ = false;  // since the present connection was made
  bool subscribed_ = false, list_wanted_ = false;
  base::log::episode silent_events_;
  std::optional<os::file_watch> watch_;
};

}  // namespace engine
