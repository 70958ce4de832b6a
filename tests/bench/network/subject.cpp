#include "tests/bench/network/subject.hpp"

#include <sys/socket.h>

#include <array>
#include <stdexcept>

#include "tests/support/eventually.hpp"
#include "tests/support/probe.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

// Keeps its side open: after a half-close, some versions of passt lose the end of the answer.
bool answers(const subject& s, way w) {
  const auto connection =
      support::open_socket(s.client_place(w), net::protocol::tcp, s.target(w, answer_port), /*listen=*/false);
  const std::string request(request_bytes, 'c');
  return connection && ::send(connection.get(), request.data(), request.size(), MSG_NOSIGNAL) == request_bytes &&
         support::receive_once(connection.get(), 500ms);
}

std::string to_string(way w) {
  const std::string inner = w.inner == inner_end::vm ? "the VM" : "a container";
  return w.to == direction::in ? "from the host to " + inner : "from " + inner + " to the host";
}

}  // namespace

net::endpoint subject::target(way w, std::uint16_t port) const {
  if (w.to == direction::out) return {host_address, static_cast<std::uint16_t>(host_first + port)};
  const auto first = w.inner == inner_end::vm ? vm_first : container_first;
  return {vm_address, static_cast<std::uint16_t>(first + port)};
}

const support::netns& subject::client_place(way w) const {
  if (w.to == direction::in) return place.host;
  return w.inner == inner_end::vm ? place.vm : place.container;
}

target_server& subject::target(way w) const {
  if (w.to == direction::out) return place.host_target.server();
  return w.inner == inner_end::vm ? place.vm_target.server() : place.container_target.server();
}

void subject::wait_until_it_works() {
  constexpr std::array ways{way{direction::in, inner_end::vm}, way{direction::out, inner_end::vm},
                            way{direction::in, inner_end::container}, way{direction::out, inner_end::container}};
  for (const auto w : ways)
    if (!support::eventually(20s, [&] { return answers(*this, w); }))
      throw std::runtime_error("no TCP " + bench::to_string(w));
}

}  // namespace bench
