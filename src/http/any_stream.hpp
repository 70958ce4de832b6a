// any_stream: a connected socket, with or without TLS, as one type of stream for Beast.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <optional>
#include <utility>

namespace http {

class any_stream {
 public:
  using socket_type = boost::asio::generic::stream_protocol::socket;
  using executor_type = socket_type::executor_type;
  using tls_type = boost::asio::ssl::stream<socket_type&>;

  explicit any_stream(const executor_type& where) : socket_(where) {}

  executor_type get_executor() { return socket_.get_executor(); }
  socket_type& socket() { return socket_; }
  tls_type& start_tls(boost::asio::ssl::context& context) { return tls_.emplace(socket_, context); }
  [[nodiscard]] bool encrypted() const { return tls_.has_value(); }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return tls_ ? tls_->async_read_some(buffers, std::forward<Token>(token))
                : socket_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return tls_ ? tls_->async_write_some(buffers, std::forward<Token>(token))
                : socket_.async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  socket_type socket_;
  std::optional<tls_type> tls_;
};

}  // namespace http
