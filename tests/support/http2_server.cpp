#include "tests/support/http2_server.hpp"

#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "base/unique_fd.hpp"

namespace support {
namespace {

std::vector<nghttp2_nv> as_fields(const header_fields& all) {
  std::vector<nghttp2_nv> made;
  const auto bytes = [](const std::string& s) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(s.data()));
  };
  for (const auto& [name, value] : all)
    made.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  return made;
}

std::string as_text(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

class exchange;

// One client. Its session's user data is the connection itself.
class connection {
 public:
  connection(base::unique_fd socket, const http2_handler& handler);
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] bool wants_to_write() const { return !output_.empty(); }
  void serve_all();
  // False: the connection has ended.
  bool read();
  bool write();

  nghttp2_session* session = nullptr;
  std::string raw;
  bool cut = false;

 private:
  struct callbacks;
  friend struct callbacks;
  base::unique_fd socket_;
  const http2_handler& handler_;
  std::map<std::int32_t, std::unique_ptr<exchange>> exchanges_;
  std::string output_;
};

class exchange final : public http2_exchange {
 public:
  exchange(connection& owner, std::int32_t stream) : owner_(owner), stream_(stream) {}

  void begin(const header_fields& header) override {
    const auto all = as_fields(header);
    const nghttp2_data_provider provider{{.ptr = this}, pull};
    nghttp2_submit_response(owner_.session, stream_, all.data(), all.size(), &provider);
  }
  void send(std::string_view bytes) override {
    output_ += bytes;
    nghttp2_session_resume_data(owner_.session, stream_);
  }
  void end(const header_fields& trailers) override {
    ended_ = true;
    trailers_ = trailers;
    nghttp2_session_resume_data(owner_.session, stream_);
  }
  void reset(std::uint32_t code) override {
    over_ = true;
    nghttp2_submit_rst_stream(owner_.session, NGHTTP2_FLAG_NONE, stream_, code);
  }
  [[nodiscard]] bool ended() const override { return ended_ || over_; }

  void ping() override { nghttp2_submit_ping(owner_.session, NGHTTP2_FLAG_NONE, nullptr); }
  void go_away() override {
    constexpr std::string_view why = "enough";
    over_ = true;
    nghttp2_submit_goaway(owner_.session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_ENHANCE_YOUR_CALM,
                          reinterpret_cast<const std::uint8_t*>(why.data()), why.size());
  }
  void send_raw(std::string bytes) override {
    over_ = true;
    owner_.raw += bytes;
  }
  void cut() override {
    over_ = true;
    owner_.cut = true;
  }

  bool complete = false;  // the request has come

 private:
  static ssize_t pull(nghttp2_session* session, std::int32_t stream, std::uint8_t* into, std::size_t room,
                      std::uint32_t* flags, nghttp2_data_source* source, void* /*user*/) {
    auto& e = *static_cast<exchange*>(source->ptr);
    const auto size = std::min(room, e.output_.size() - e.sent_);
    if (size == 0 && !e.ended_) return NGHTTP2_ERR_DEFERRED;
    std::memcpy(into, e.output_.data() + e.sent_, size);
    e.sent_ += size;
    if (e.ended_ && e.sent_ == e.output_.size()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!e.trailers_.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const auto all = as_fields(e.trailers_);
        nghttp2_submit_trailer(session, stream, all.data(), all.size());
      }
    }
    return static_cast<ssize_t>(size);
  }

  connection& owner_;
  std::int32_t stream_;
  std::string output_;
  std::size_t sent_ = 0;
  header_fields trailers_;
  bool ended_ = false;  // the answer is complete
  bool over_ = false;   // it never will be
};

struct connection::callbacks {
  static connection& of(void* user) { return *static_cast<connection*>(user); }
  static exchange* find(void* user, std::int32_t stream) {
    const auto found = of(user).exchanges_.find(stream);
    return found == of(user).exchanges_.end() ? nullptr : found->second.get();
  }
  static int begin_headers(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
    of(user).exchanges_[frame->hd.stream_id] = std::make_unique<exchange>(of(user), frame->hd.stream_id);
    return 0;
  }
  static int header(nghttp2_session* /*session*/, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t /*flags*/,
                    void* user) {
    if (auto* e = find(user, frame->hd.stream_id)) e->fields[as_text(name, name_size)] = as_text(value, value_size);
    return 0;
  }
  static int data(nghttp2_session* /*session*/, std::uint8_t /*flags*/, std::int32_t stream, const std::uint8_t* bytes,
                  std::size_t size, void* user) {
    if (auto* e = find(user, stream)) e->body += as_text(bytes, size);
    return 0;
  }
  static int frame(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
    auto* e = find(user, frame->hd.stream_id);
    if (e != nullptr && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) e->complete = true;
    return 0;
  }
  static int closed(nghttp2_session* /*session*/, std::int32_t stream, std::uint32_t /*code*/, void* user) {
    if (auto* e = find(user, stream)) of(user).handler_.gone(*e);
    of(user).exchanges_.erase(stream);
    return 0;
  }
};

connection::connection(base::unique_fd socket, const http2_handler& handler)
    : socket_(std::move(socket)), handler_(handler) {
  nghttp2_session_callbacks* all = nullptr;
  nghttp2_session_callbacks_new(&all);
  nghttp2_session_callbacks_set_on_begin_headers_callback(all, callbacks::begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(all, callbacks::header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, callbacks::data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(all, callbacks::frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(all, callbacks::closed);
  nghttp2_session_server_new(&session, all, this);
  nghttp2_session_callbacks_del(all);
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
}

connection::~connection() {
  for (const auto& [stream, e] : exchanges_) handler_.gone(*e);
  nghttp2_session_del(session);
}

void connection::serve_all() {
  for (const auto& [stream, e] : exchanges_)
    if (e->complete && !e->ended()) handler_.serve(*e);
}

bool connection::read() {
  char bytes[65'536];
  const auto size = ::recv(fd(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN;
  return size > 0 &&
         nghttp2_session_mem_recv(session, reinterpret_cast<std::uint8_t*>(bytes), static_cast<std::size_t>(size)) >= 0;
}

bool connection::write() {
  const std::uint8_t* bytes = nullptr;
  while (output_.size() < 1 << 20) {
    const auto size = nghttp2_session_mem_send(session, &bytes);
    if (size < 0) return false;
    if (size == 0) break;
    output_ += as_text(bytes, static_cast<std::size_t>(size));
  }
  output_ += std::exchange(raw, {});
  const auto sent = ::send(fd(), output_.data(), output_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN;
  output_.erase(0, static_cast<std::size_t>(sent));
  return !cut || wants_to_write();
}

base::unique_fd listen_at(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  base::unique_fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 64) != 0)
    throw std::runtime_error("listen at " + path.string());
  return socket;
}

}  // namespace

struct http2_server::state {
  state(const std::filesystem::path& at, http2_handler h)
      : path(at), handler(std::move(h)), listener(listen_at(at)), wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  std::filesystem::path path;
  http2_handler handler;
  base::unique_fd listener, wakeup;
  std::atomic<bool> stopping = false;
  std::vector<std::unique_ptr<connection>> connections;
  std::thread thread;

  void run() {
    while (!stopping) {
      std::vector<pollfd> ready = {{listener.get(), POLLIN, 0}, {wakeup.get(), POLLIN, 0}};
      for (const auto& c : connections)
        ready.push_back({c->fd(), static_cast<short>(c->wants_to_write() ? POLLIN | POLLOUT : POLLIN), 0});
      ::poll(ready.data(), ready.size(), -1);
      std::uint64_t count = 0;
      if (ready[1].revents != 0) static_cast<void>(!::read(wakeup.get(), &count, sizeof count));
      std::erase_if(connections, [](const auto& c) {
        if (!c->read()) return true;
        c->serve_all();
        return !c->write();
      });
      if (ready[0].revents == 0) continue;
      base::unique_fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client) connections.push_back(std::make_unique<connection>(std::move(client), handler));
    }
    connections.clear();
  }
};

http2_server::http2_server(const std::filesystem::path& socket, http2_handler handler)
    : state_(new state(socket, std::move(handler))) {
  state_->thread = std::thread([s = state_.get()] { s->run(); });
}

http2_server::~http2_server() {
  state_->stopping = true;
  wake();
  state_->thread.join();
  std::filesystem::remove(state_->path);
}

void http2_server::wake() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(state_->wakeup.get(), &one, sizeof one));
}

}  // namespace support
