#include "sources/kubernetes/api_client.hpp"

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "async/timeout.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "http/connection.hpp"
#include "http/message.hpp"
#include "http/tls.hpp"
#include "sources/kubernetes/kubeconfig.hpp"

namespace kubernetes {
namespace {

constexpr int most_drained = 16;  // pieces
constexpr std::size_t longest_reason = 300;

base::result<std::shared_ptr<const http::tls_context>> make_tls(const cluster_access& access) {
  auto made = http::tls_context::make({.ca_pem = access.ca_pem,
                                       .insecure = access.insecure,
                                       .client_cert_pem = access.client_cert_pem,
                                       .client_key_pem = access.client_key_pem,
                                       .server_name = access.tls_server_name});
  if (!made) return base::fail("kubeconfig: " + made.error().message());
  return made;
}

}  // namespace

async::task<base::result<>> api_client::open_connection(cluster_access access) {
  close();
  access_ = std::move(access);
  tls_.reset();
  if (access_.tls) {
    auto made = make_tls(access_);
    if (!made) co_return std::unexpected(made.error());
    tls_ = std::move(*made);
  }
  fresh_ = true;
  co_return co_await open();
}

async::task<base::result<>> api_client::open() {
  close();
  auto opened = co_await http::connection::open(access_.server, deadline_, tls_);
  if (!opened) co_return std::unexpected(opened.error());
  connection_ = std::make_unique<http::connection>(std::move(*opened));
  co_return base::result<>{};
}

async::task<base::result<http::response>> api_client::send(std::string target) {
  http::request r{.target = access_.path_prefix + std::move(target)};
  r.headers["Accept"] = "application/json";
  if (!access_.token.empty()) r.headers["Authorization"] = "Bearer " + access_.token;
  const http::exchange_limits limits{.deadline = deadline_};
  co_return co_await connection_->open_stream(std::move(r), limits);
}

// A server may close a connection just as the next request is sent: a GET can be repeated. On a fresh connection the
// failure is an error.
async::task<base::result<http::response>> api_client::get(std::string target) {
  const bool first = std::exchange(fresh_, false);
  if (connection_ && connection_->usable()) {
    auto head = co_await send(target);
    if (head || first || head.error().code == std::errc::timed_out) co_return head;
  }
  if (auto opened = co_await open(); !opened) co_return std::unexpected(opened.error());
  co_return co_await send(std::move(target));
}

async::task<base::result<std::string>> api_client::next_piece(async::clock::time_point deadline) {
  auto piece = co_await async::until(deadline, connection_->read_some());
  if (!piece && piece.error().code == std::errc::timed_out)
    co_return base::fail(std::errc::timed_out, "the API server is silent");
  co_return piece;
}

async::task<base::error> api_client::refused(http::response head) {
  const auto body = co_await connection_->read_reason(deadline_);
  const auto text = base::printable(base::trim(body), longest_reason);
  co_return base::error{{},
                        "the API server answered " + std::to_string(head.status) + (text.empty() ? "" : ": " + text)};
}

async::task<> api_client::drain() {
  const auto deadline = async::clock::now() + deadline_;
  for (int pieces = 0; pieces < most_drained; ++pieces) {
    const auto piece = co_await next_piece(deadline);
    if (!piece || piece->empty()) co_return;
  }
}

}  // namespace kubernetes
