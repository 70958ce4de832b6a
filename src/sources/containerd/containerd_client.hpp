// containerd_client: the calls of containerd's gRPC API that are needed here, as tasks of the control thread. One
// object is one connection, made with the first call. If the connection is lost, the event stream ends; make a new
// object then.
//
// The client owns a thread that waits for gRPC (completion_thread.hpp) and ends with it. Cancelling a task cancels its
// call.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {

// Makes gRPC wake up less often. Changes the environment: call it before the process has a second thread.
void reduce_grpc_wakeups();

class containerd_client {
 public:
  // `deadline` is for each call but the stream of events, and six times as long for a list of tasks: containerd waits
  // two seconds for each shim that hangs.
  containerd_client(const async::executor& where, const std::filesystem::path& socket,
                    std::chrono::milliseconds deadline);
  containerd_client(const containerd_client&) = delete;
  containerd_client& operator=(const containerd_client&) = delete;
  ~containerd_client();  // cancels all steps under way and waits for gRPC to return them; no task may wait for a call

  // Subscribes to the events of all namespaces. containerd does not acknowledge it: events of the next milliseconds may
  // be missed.
  void subscribe();
  // The events since the last call. Waits for one, perhaps for days. Fails when the stream has ended.
  async::task<base::result<event_batch>> next_events();

  async::task<base::result<std::vector<std::string>>> list_namespaces();
  // The containers that nerdctl made.
  async::task<base::result<std::vector<container_record>>> list_containers(std::string name_space);
  // The tasks of the namespace by their container's id; a container without a task is not among them.
  async::task<base::result<std::map<std::string, task_state>>> list_tasks(std::string name_space);

  // Fails with std::errc::no_such_file_or_directory if the container is unknown.
  async::task<base::result<container_record>> get_container(std::string name_space, std::string id);
  // A task that is not there has ended.
  async::task<base::result<task_state>> get_task(std::string name_space, std::string id);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace containerd
