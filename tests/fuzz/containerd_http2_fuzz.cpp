// What a server sends to the HTTP/2 client, in pieces whose size the first byte says, with two requests under way. The
// client's output stays in proportion, headers within their bound, each stream closes once, and a failure is final.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>

#include "sources/containerd/grpc_codec.hpp"
#include "sources/containerd/http2_session.hpp"

namespace {

using containerd::http2_event;

void check(bool holds) {
  if (!holds) std::abort();
}

class client {
 public:
  client() {
    for (int i = 0; i < 2; ++i)
      check(session_
                .request({{":method", "POST"}, {":scheme", "http"}, {":path", "/a"}, {":authority", "localhost"}},
                         containerd::frame_message("question"))
                .has_value());
    drain(0);
  }
  bool receive(std::string_view bytes) {
    const auto received = session_.receive(bytes);
    if (!received) check(!session_.receive("") && !received.error().message().empty());
    drain(bytes.size());
    return received.has_value();
  }

 private:
  void drain(std::size_t received) {
    std::size_t sent = 0;
    for (auto some = session_.take_output(); some && !some->empty(); some = session_.take_output())
      sent += some->size();
    check(sent <= 4'096 + 4 * received);
    for (const auto& e : session_.take_events()) look_at(e);
  }
  void look_at(const http2_event& e) {
    check(e.stream == 1 || e.stream == 3);
    check(!closed_.contains(e.stream));
    if (e.what == http2_event::kind::closed) closed_.insert(e.stream);
    if (e.what == http2_event::kind::data) session_.consumed(e.stream, e.text.size());
    std::size_t bytes = 0;
    for (const auto& [name, value] : e.fields) bytes += name.size() + value.size() + 32;
    check(bytes <= containerd::most_header_bytes);
  }

  containerd::http2_session session_;
  std::set<std::int32_t> closed_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = 1U + data[0];
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  client one;
  while (!rest.empty() && one.receive(rest.substr(0, piece))) rest.remove_prefix(std::min(piece, rest.size()));
  return 0;
}
