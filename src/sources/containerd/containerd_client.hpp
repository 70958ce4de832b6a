// containerd_client: the calls of containerd's API that are needed here, as tasks of the control thread. One object is
// one connection, made with the first call. If the connection is lost, the event stream ends; make a new object then.
// Cancelling a task cancels its call.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "sources/containerd/event_stream.hpp"
#include "sources/containerd/grpc_connection.hpp"
#include "sources/containerd/records.hpp"

namespace containerd {

class containerd_client {
 public:
  // `deadline` is for each call but the stream of events, and six times as long for a list of tasks: containerd waits
  // two seconds for each shim that hangs.
  containerd_client(const async::executor& where, std::filesystem::path socket, std::chrono::milliseconds deadline);

  // Once. Subscribes to the events of all namespaces. containerd does not acknowledge it: events of the next
  // milliseconds may be missed.
  void subscribe();
  // The events since the last call. Waits for one, perhaps for days. Fails when the stream has ended.
  async::task<base::result<event_batch>> next_events();

  async::task<base::result<std::vector<std::string>>> list_namespaces();
  // The containers that nerdctl made.
  async::task<base::result<std::vector<container_record>>> list_containers(std::string name_space);
  // The tasks of the namespace by their container's id; a container without a task is not among them.
  async::task<base::result<std::map<std::string, task_state>>> list_tasks(std::string name_space);

  // Both send their question at once and return a task that waits for the answer: two of them are one round trip.
  // Fails with std::errc::no_such_file_or_directory if the container is unknown.
  async::task<base::result<container_record>> get_container(std::string name_space, std::string id);
  // A task that is not there has ended.
  async::task<base::result<task_state>> get_task(std::string name_space, std::string id);

 private:
  // A method of a service, "containers.v1.Containers/Get". `what` names the call in its error.
  async::task<base::result<std::string>> ask(const char* method, std::string name_space, std::string request,
                                             const char* what, int patience = 1);
  grpc_question send(const char* method, std::string name_space, std::string request, int patience = 1);

  std::chrono::milliseconds deadline_;
  grpc_connection engine_;
  std::unique_ptr<event_stream> events_;
};

}  // namespace containerd
