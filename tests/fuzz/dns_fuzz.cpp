// DNS: the input is a question over UDP and over TCP, an upstream's answer to a question, a stream of questions, and a
// hosts file. Answers stay within the size that the client takes, and every question gets at most one.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "netstack/dns/server.hpp"
#include "netstack/dns/tcp_questions.hpp"

using namespace netstack;

namespace {

constexpr dns::client udp_client{.address = {0xc0a87f02}, .port = 1};
constexpr dns::client tcp_client{.address = {0xc0a87f02}, .port = 2, .connection = 3, .transport = dns::transport::tcp};
constexpr time_point now{};

void expect(bool true_always) {
  if (!true_always) std::abort();
}

dns::server make() {
  return {
      dns::settings{.host = ipv4::address{0xc0a87ffe}, .aaaa = true, .random_id = [] { return std::uint16_t{0x1234}; }},
      dns::zones({0xc0a87f01}, ipv4::address{0xc0a87ffe})};
}

// What the header counts is there, unless an upstream's own answer lies.
void expect_whole(bytes_view message) {
  auto at = dns::end_of_question(message).value();
  for (int i = load_16(message, 6) + load_16(message, 8) + load_16(message, 10); i > 0; --i) {
    const auto record = dns::find_record(message, at);
    expect(record.has_value());
    at = record->end;
  }
  expect(at == message.size());
}

void ask(dns::server& server, const dns::client& from, bytes_view question) {
  const auto out = server.on_question(from, question, now);
  if (const auto* a = std::get_if<dns::answer>(&out)) {
    expect(load_16(a->bytes, 0) == load_16(question, 0));
    expect(a->bytes.size() <= (from.transport == dns::transport::udp ? 1'472U : 65'535U));
    expect_whole(a->bytes);
  }
  if (const auto* asked = std::get_if<dns::ask_upstream>(&out)) {
    expect(asked->question.size() == question.size());
    expect(server.on_upstream(asked->token, question).has_value());  // no answer: SERVFAIL
    expect(!server.on_upstream(asked->token, question));
  }
}

void answer(dns::server& server, bytes_view upstream) {
  // The question is the one that the answer repeats, with and without EDNS.
  const auto end = dns::end_of_question(upstream);
  if (!end) return;
  std::vector<std::uint8_t> question(upstream.begin(), upstream.begin() + static_cast<std::ptrdiff_t>(*end));
  store_16(question, 2, 0x0100);
  for (const std::size_t at : {6U, 8U, 10U}) store_16(question, at, 0);
  for (const bool edns : {false, true}) {
    if (edns) {
      question.insert(question.end(), {0, 0, 41, 5, 0, 0, 0, 0, 0, 0, 0});
      store_16(question, 10, 1);
    }
    const auto out = server.on_question(udp_client, question, now);
    const auto* asked = std::get_if<dns::ask_upstream>(&out);
    if (asked == nullptr) continue;
    const auto back = server.on_upstream(asked->token, upstream);
    expect(back.has_value());
    expect(back->bytes.size() <= (edns ? 1'280U : 512U));
    expect(back->bytes.size() >= dns::header_size && load_16(back->bytes, 0) == load_16(question, 0));
    if ((load_16(back->bytes, 2) & dns::header_bit::truncated) != 0 && upstream.size() > 1'280)
      expect_whole(back->bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bytes_view bytes(data, size);
  auto server = make();
  ask(server, udp_client, bytes);
  ask(server, tcp_client, bytes);
  answer(server, bytes);

  dns::tcp_questions cut;
  for (std::size_t at = 0; at < size; at += 100) {
    if (!cut.add(bytes.subspan(at, std::min<std::size_t>(100, size - at)))) break;
    while (const auto question = cut.next()) {
      expect(question->size() >= dns::header_size && question->size() <= dns::tcp_questions::most_message);
      ask(server, tcp_client, *question);
    }
  }

  server.set_hosts(dns::hosts_file::parse({reinterpret_cast<const char*>(data), size}));
  ask(server, udp_client, bytes);
  expect(server.in_progress() == 0);
  return 0;
}
