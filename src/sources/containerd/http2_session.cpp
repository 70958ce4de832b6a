#include "sources/containerd/http2_session.hpp"

#include <nghttp2/nghttp2.h>
#include <sys/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"

namespace containerd {
namespace {

constexpr std::size_t output_bytes = 16 << 10;
constexpr std::size_t most_waiting_frames = 1'000;  // to be sent
constexpr std::size_t field_overhead = 32;          // RFC 9113, 6.5.2

struct ending {
  void operator()(nghttp2_session* s) const { nghttp2_session_del(s); }
  void operator()(nghttp2_session_callbacks* c) const { nghttp2_session_callbacks_del(c); }
  void operator()(nghttp2_option* o) const { nghttp2_option_del(o); }
};

std::string_view as_text(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// nghttp2 copies the fields, and does not write into them.
nghttp2_nv as_field(const std::pair<std::string, std::string>& field) {
  const auto bytes = [](const std::string& s) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(s.data()));
  };
  return {bytes(field.first), bytes(field.second), field.first.size(), field.second.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct http2_session::state {
  std::unique_ptr<nghttp2_session, ending> session;
  std::map<std::int32_t, std::string> bodies;  // what is left to send of requests
  std::vector<http2_event> events;
  http2_fields block;  // the header that comes in
  std::size_t block_bytes = 0;
  std::int32_t oversized = 0;  // the last stream with too large a header
  std::string reason;          // why the connection ends, or the last complaint about a stream
  bool failed = false;

  void add(http2_event e) { events.push_back(std::move(e)); }
};

// What nghttp2 calls. Zero continues.
struct http2_session::callbacks {
  static state& of(void* user) { return *static_cast<state*>(user); }

  static int begin_headers(nghttp2_session* /*session*/, const nghttp2_frame* /*frame*/, void* user) {
    of(user).block.clear();
    of(user).block_bytes = 0;
    return 0;
  }

  static int header(nghttp2_session* /*session*/, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t /*flags*/,
                    void* user) {
    auto& s = of(user);
    s.block_bytes += name_size + value_size + field_overhead;
    if (s.block_bytes > most_header_bytes) {
      s.oversized = frame->hd.stream_id;
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets the stream
    }
    s.block.insert_or_assign(std::string(as_text(name, name_size)), as_text(value, value_size));
    return 0;
  }

  static int frame(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_GOAWAY) goaway(of(user), frame->goaway);
    if (frame->hd.type == NGHTTP2_HEADERS) headers(of(user), frame->hd.stream_id);
    return 0;
  }

  // An interim answer (1xx) says nothing.
  static void headers(state& s, std::int32_t stream) {
    const auto status = s.block.find(":status");
    if (status != s.block.end() && status->second.starts_with('1')) return;
    s.add({http2_event::kind::fields, stream, std::exchange(s.block, {})});
  }

  static void goaway(state& s, const nghttp2_goaway& frame) {
    s.reason = std::string("GOAWAY ") + nghttp2_http2_strerror(frame.error_code);
    const auto why = as_text(frame.opaque_data, frame.opaque_data_len);
    if (!why.empty()) s.reason += ": " + base::printable(why);
    s.failed = true;
  }

  static int data(nghttp2_session* session, std::uint8_t /*flags*/, std::int32_t stream, const std::uint8_t* bytes,
                  std::size_t size, void* user) {
    of(user).add({http2_event::kind::data, stream, {}, std::string(as_text(bytes, size))});
    return nghttp2_session_consume_connection(session, size) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int closed(nghttp2_session* /*session*/, std::int32_t stream, std::uint32_t code, void* user) {
    auto& s = of(user);
    s.bodies.erase(stream);
    std::string why;
    if (code != NGHTTP2_NO_ERROR) why = std::string("RST_STREAM ") + nghttp2_http2_strerror(code);
    if (s.failed) why = s.reason;
    if (stream == s.oversized) why = "a header of more than " + std::to_string(most_header_bytes) + " bytes";
    s.add({http2_event::kind::closed, stream, {}, std::move(why), code == NGHTTP2_CANCEL});
    return 0;
  }

  static int complaint(nghttp2_session* /*session*/, int /*code*/, const char* text, std::size_t size, void* user) {
    of(user).reason = base::printable({text, size});
    return 0;
  }

  static ssize_t body(nghttp2_session* /*session*/, std::int32_t stream, std::uint8_t* into, std::size_t room,
                      std::uint32_t* flags, nghttp2_data_source* /*source*/, void* user) {
    auto& left = of(user).bodies[stream];
    const auto size = left.copy(reinterpret_cast<char*>(into), room);
    left.erase(0, size);
    if (left.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }
};

http2_session::http2_session() : state_(new state) {
  nghttp2_session_callbacks* made = nullptr;
  nghttp2_session_callbacks_new(&made);
  const std::unique_ptr<nghttp2_session_callbacks, ending> all(made);
  nghttp2_session_callbacks_set_on_begin_headers_callback(made, callbacks::begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(made, callbacks::header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(made, callbacks::frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, callbacks::data);
  nghttp2_session_callbacks_set_on_stream_close_callback(made, callbacks::closed);
  nghttp2_session_callbacks_set_error_callback2(made, callbacks::complaint);
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  const std::unique_ptr<nghttp2_option, ending> options(option);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_session* session = nullptr;
  nghttp2_session_client_new2(&session, made, state_.get(), option);
  state_->session.reset(session);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                             {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, most_header_bytes}};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings));
}

http2_session::~http2_session() = default;

base::result<std::int32_t> http2_session::request(const std::vector<std::pair<std::string, std::string>>& fields,
                                                  std::string body) {
  std::vector<nghttp2_nv> all(fields.size());
  std::ranges::transform(fields, all.begin(), as_field);
  const nghttp2_data_provider provider{.source = {}, .read_callback = callbacks::body};
  const auto stream =
      nghttp2_submit_request(state_->session.get(), nullptr, all.data(), all.size(), &provider, nullptr);
  if (stream < 0) return base::fail(nghttp2_strerror(stream));
  state_->bodies[stream] = std::move(body);
  return stream;
}

void http2_session::cancel(std::int32_t stream) {
  nghttp2_submit_rst_stream(state_->session.get(), NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
}

void http2_session::consumed(std::int32_t stream, std::size_t bytes) {
  nghttp2_session_consume_stream(state_->session.get(), stream, bytes);
}

base::result<> http2_session::receive(std::string_view bytes) {
  auto& s = *state_;
  if (!s.failed) {
    const auto* const begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
    const auto read = nghttp2_session_mem_recv(s.session.get(), begin, bytes.size());
    const bool flooded = nghttp2_session_get_outbound_queue_size(s.session.get()) > most_waiting_frames;
    if (read < 0) s.reason = nghttp2_strerror(static_cast<int>(read));
    if (flooded) s.reason = "frames that want answers, and none of these is read";
    s.failed = s.failed || flooded || read < 0 || nghttp2_session_check_request_allowed(s.session.get()) == 0;
  }
  if (s.failed) return base::fail(s.reason.empty() ? "a violation of HTTP/2" : s.reason);
  return {};
}

base::result<std::string> http2_session::take_output() {
  std::string made;
  while (made.size() < output_bytes) {
    const std::uint8_t* bytes = nullptr;
    const auto size = nghttp2_session_mem_send(state_->session.get(), &bytes);
    if (size < 0) return base::fail(nghttp2_strerror(static_cast<int>(size)));
    if (size == 0) break;
    made += as_text(bytes, static_cast<std::size_t>(size));
  }
  return made;
}

std::vector<http2_event> http2_session::take_events() { return std::exchange(state_->events, {}); }

}  // namespace containerd
