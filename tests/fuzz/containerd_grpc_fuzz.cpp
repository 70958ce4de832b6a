// The bytes of an answer, in pieces whose size the first byte says: the same messages come out as from one piece, they
// have the bytes that went in, and every byte is given back to the window once.
#include <cstdint>
#include <cstdlib>

#include "sources/containerd/grpc_codec.hpp"

namespace {

using containerd::http2_event;

struct outcome {
  std::string messages;
  std::size_t credit = 0;
  std::string error;
  bool operator==(const outcome&) const = default;
};

outcome run(std::string_view bytes, std::size_t piece) {
  containerd::grpc_answer answer;
  outcome made;
  const auto take = [&] {
    while (const auto message = answer.take()) made.messages += containerd::frame_message(*message);
    made.credit += answer.take_credit();
  };
  answer.add({http2_event::kind::fields, 1, {{":status", "200"}, {"content-type", "application/grpc"}}, ""});
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    answer.add({http2_event::kind::data, 1, {}, std::string(bytes.substr(at, piece))});
    take();
  }
  // The text of the outcome is the same bytes, percent-encoded or not.
  answer.add({http2_event::kind::fields, 1, {{"grpc-status", "2"}, {"grpc-message", std::string(bytes)}}, ""});
  answer.add({http2_event::kind::closed, 1, {}, ""});
  take();
  if (!answer.over() || answer.outcome()) std::abort();
  made.error = answer.outcome().error().message();
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = run(bytes, bytes.size() + 1);
  if (whole != run(bytes, 1U + data[0])) std::abort();
  if (!bytes.starts_with(whole.messages) || whole.credit != bytes.size()) std::abort();
  for (const char c : whole.error)
    if (static_cast<unsigned char>(c) < ' ') std::abort();
  return 0;
}
