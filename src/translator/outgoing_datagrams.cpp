#include "translator/outgoing_datagrams.hpp"

#include <arpa/inet.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "netstack/stack/action.hpp"

namespace translator {
namespace {

// A lower TTL is the VM's traceroute, and passed on. All other datagrams have the host's own.
constexpr int usual_ttl = 32;

}  // namespace

void outgoing_datagrams::add(const netstack::action::datagram& d) {
  auto& one = entries_[count_];
  auto& head = headers_[count_].msg_hdr;
  ++count_;
  one.to.sin_family = AF_INET;
  one.to.sin_port = htons(d.to.port);
  one.to.sin_addr.s_addr = htonl(d.to.address.value);
  one.bytes = {const_cast<std::uint8_t*>(d.payload.data()), d.payload.size()};
  one.asked = d.asked;
  head = {};
  head.msg_name = &one.to;
  head.msg_namelen = sizeof one.to;
  head.msg_iov = &one.bytes;
  head.msg_iovlen = 1;
  if (d.ttl >= usual_ttl) return;
  head.msg_control = one.ttl.data();
  head.msg_controllen = one.ttl.size();
  auto* const c = CMSG_FIRSTHDR(&head);
  c->cmsg_level = IPPROTO_IP;
  c->cmsg_type = IP_TTL;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  const int ttl = d.ttl;
  std::memcpy(CMSG_DATA(c), &ttl, sizeof ttl);
}

void outgoing_datagrams::send(int fd, outcome& to) {
  to.dropped = to.failures = 0;
  bool retried = false;
  for (std::size_t first = 0; first < count_;) {
    const int sent =
        ::sendmmsg(fd, &headers_[first], static_cast<unsigned>(count_ - first), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      first += static_cast<std::size_t>(sent);
      retried = false;
    } else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
      to.dropped = count_ - first;
      break;
    } else if (errno != EINTR && !std::exchange(retried, true)) {
      continue;  // the error may be one of an earlier datagram, which the call has cleared
    } else {
      to.failed[to.failures++] = {entries_[first].asked, errno};
      ++first;
      retried = false;
    }
  }
  count_ = 0;
}

}  // namespace translator
