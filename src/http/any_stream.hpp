// any_stream: a connected socket, with or without TLS, as one type of stream for Beast. What encrypts it is reached
// through stream_layer alone, so that a program which makes no tls_context links no TLS.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace http {

// What encrypts a stream. Owned by it. Each call ends with one call of `done`, also after a signal at `stop`.
class stream_layer {
 public:
  using done = std::move_only_function<void(boost::system::error_code, std::size_t)>;

  stream_layer() = default;
  stream_layer(const stream_layer&) = delete;
  stream_layer& operator=(const stream_layer&) = delete;
  virtual ~stream_layer() = default;
  virtual void read_some(boost::asio::mutable_buffer into, boost::asio::cancellation_slot stop, done to) = 0;
  virtual void write_some(boost::asio::const_buffer from, boost::asio::cancellation_slot stop, done to) = 0;
};

class any_stream {
 public:
  using socket_type = boost::asio::generic::stream_protocol::socket;
  using executor_type = socket_type::executor_type;

  explicit any_stream(const executor_type& where) : socket_(where) {}

  executor_type get_executor() { return socket_.get_executor(); }
  socket_type& socket() { return socket_; }
  void encrypt(std::unique_ptr<stream_layer> layer) { layer_ = std::move(layer); }
  [[nodiscard]] bool encrypted() const { return layer_ != nullptr; }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, signature>(start_read{this}, token, buffers);
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, signature>(start_write{this}, token, buffers);
  }

 private:
  using signature = void(boost::system::error_code, std::size_t);

  // A layer may take less than is offered: it gets the first buffer that is not empty.
  template <class Buffer, class Buffers>
  static Buffer first_of(const Buffers& buffers) {
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != end; ++at)
      if (const Buffer one(*at); one.size() > 0) return one;
    return {};
  }

  struct start_read {
    template <class Handler, class Buffers>
    void operator()(Handler&& handler, const Buffers& buffers) const {
      if (!stream->layer_) return stream->socket_.async_read_some(buffers, std::forward<Handler>(handler));
      const auto stop = boost::asio::get_associated_cancellation_slot(handler);
      stream->layer_->read_some(first_of<boost::asio::mutable_buffer>(buffers), stop, std::forward<Handler>(handler));
    }
    any_stream* stream;
  };
  struct start_write {
    template <class Handler, class Buffers>
    void operator()(Handler&& handler, const Buffers& buffers) const {
      if (!stream->layer_) return stream->socket_.async_write_some(buffers, std::forward<Handler>(handler));
      const auto stop = boost::asio::get_associated_cancellation_slot(handler);
      stream->layer_->write_some(first_of<boost::asio::const_buffer>(buffers), stop, std::forward<Handler>(handler));
    }
    any_stream* stream;
  };

  socket_type socket_;
  std::unique_ptr<stream_layer> layer_;
};

}  // namespace http
