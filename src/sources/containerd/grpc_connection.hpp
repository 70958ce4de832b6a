// grpc_connection: a gRPC client on one UNIX socket, in tasks of the control thread. Owned by containerd_client.
//
//   socket ── bytes ── http2_session ── events ── grpc_call, one for each stream
//
// It connects with the first call. Once the connection is lost, every call fails with the reason, those that begin
// later as well: make a new object then. It has no thread and no timer: while nothing is asked and nothing comes,
// nothing runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "async/clock.hpp"
#include "async/condition.hpp"
#include "async/task.hpp"
#include "async/task_group.hpp"
#include "base/result.hpp"
#include "sources/containerd/grpc_codec.hpp"

namespace containerd {

struct grpc_request {
  std::string path;        // "/package.Service/Method"
  std::string name_space;  // goes along as metadata; empty: the service takes none
  std::string message;
};

class grpc_call;

// A call with one answer that was sent.
struct grpc_question {
  std::shared_ptr<grpc_call> call;
  async::clock::time_point deadline;
};

class grpc_connection {
 public:
  // `connect_limit`: for connecting.
  grpc_connection(const async::executor& where, std::filesystem::path socket, std::chrono::milliseconds connect_limit);
  grpc_connection(const grpc_connection&) = delete;
  grpc_connection& operator=(const grpc_connection&) = delete;
  ~grpc_connection();  // closes the connection; calls under way fail

  // Begins a call with any number of answers. It may outlive the connection.
  std::unique_ptr<grpc_call> start(grpc_request request);
  // Sends a call with one answer. Several go out at once if nothing is awaited in between.
  grpc_question send(grpc_request request, std::chrono::milliseconds deadline);
  // Its answer. Fails with the server's outcome, or with timed_out at the deadline, which the server has received as
  // well. Cancelled, or dropped: cancels the call.
  static async::task<base::result<std::string>> answer(grpc_question question);
  async::task<base::result<std::string>> ask(grpc_request request, std::chrono::milliseconds deadline) {
    return answer(send(std::move(request), deadline));
  }

 private:
  friend class grpc_call;
  struct state;
  std::unique_ptr<grpc_call> start(grpc_request request, std::optional<std::chrono::milliseconds> timeout);

  std::shared_ptr<state> state_;
  bool begun_ = false;
  async::task_group tasks_;
};

// A call that is under way or over. Its end cancels it.
class grpc_call {
 public:
  explicit grpc_call(std::shared_ptr<grpc_connection::state> connection);
  grpc_call(const grpc_call&) = delete;
  grpc_call& operator=(const grpc_call&) = delete;
  ~grpc_call();

  // Waits for the next message; nothing after the last one. Fails with the call's outcome.
  async::task<base::result<std::optional<std::string>>> next();
  // The next message, if it has come.
  std::optional<std::string> take();
  // Whether the server has given the call up, as it does at the call's deadline.
  [[nodiscard]] bool given_up() const { return answer_.cancelled(); }

 private:
  friend class grpc_connection;
  friend struct grpc_connection::state;
  void give_credit();

  std::shared_ptr<grpc_connection::state> connection_;
  std::int32_t stream_ = 0;
  grpc_answer answer_;
  async::condition changed_;
};

}  // namespace containerd
