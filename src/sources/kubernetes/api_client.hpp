// api_client: GET requests to the API server of one cluster, one at a time. They share a connection while the server
// keeps it open; after `Connection: close` or a proxy's idle limit, the next request opens another.
// Owned by kubernetes_source. After an error the caller starts over with open_connection(). Control thread only.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "async/clock.hpp"
#include "http/connection.hpp"
#include "sources/kubernetes/kubeconfig.hpp"

namespace kubernetes {

class api_client {
 public:
  // `deadline`: for a connection, and for the header of an answer.
  explicit api_client(std::chrono::milliseconds deadline) : deadline_(deadline) {}

  // Closes the present connection, and opens one to this cluster.
  async::task<base::result<>> open_connection(cluster_access access);
  void close() { connection_.reset(); }
  [[nodiscard]] const cluster_access& access() const { return access_; }

  // The header of the answer. Its body comes from next_piece(): read it to its end, or close the client.
  // If the server has closed the connection since the last answer, that is not an error.
  async::task<base::result<http::response>> get(std::string target);
  // Of the body; empty at its end.
  async::task<base::result<std::string>> next_piece(async::clock::time_point deadline);
  // The error for an answer with another status than 200, with the server's reason.
  async::task<base::error> refused(http::response head);
  // Skips the rest of an answer if it is short, so that the connection can be used again.
  async::task<> drain();

 private:
  async::task<base::result<>> open();
  async::task<base::result<http::response>> send(std::string target);

  std::chrono::milliseconds deadline_;
  cluster_access access_;
  std::shared_ptr<const http::tls_context> tls_;
  std::unique_ptr<http::connection> connection_;
  bool fresh_ = false;  // no request was sent on it yet
};

}  // namespace kubernetes
