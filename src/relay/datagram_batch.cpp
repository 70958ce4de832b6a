#include "relay/datagram_batch.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "net/endpoint.hpp"

namespace relay {
namespace {

constexpr std::size_t longest_segment = 1'472;  // of an Ethernet packet; with larger ones little is gained
constexpr std::size_t longest_train = 65'000;   // with headers it must fit into one IP packet
constexpr std::size_t memory_bytes = datagram_batch::capacity * datagram_batch::datagram_bytes;

template <class Info>
local_address make_control(int level, int type, const Info& info) {
  local_address made;
  cmsghdr head{};
  head.cmsg_len = CMSG_LEN(sizeof info);
  head.cmsg_level = level;
  head.cmsg_type = type;
  std::memcpy(made.control.data(), &head, sizeof head);
  std::memcpy(made.control.data() + CMSG_LEN(0), &info, sizeof info);
  made.size = CMSG_SPACE(sizeof info);
  return made;
}

}  // namespace

datagram_batch::datagram_batch()
    : memory_(static_cast<char*>(
          ::mmap(nullptr, memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
  if (memory_ == MAP_FAILED) throw std::bad_alloc();
  for (unsigned i = 0; i < capacity; ++i) {
    vectors_[i].iov_base = memory_ + i * datagram_bytes;
    headers_[i].msg_hdr.msg_iov = &vectors_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
}

datagram_batch::~datagram_batch() { ::munmap(memory_, memory_bytes); }

int datagram_batch::receive(int fd, bool with_addresses) {
  for (unsigned i = 0; i < capacity; ++i) {
    auto& head = headers_[i].msg_hdr;
    vectors_[i].iov_len = datagram_bytes;
    head.msg_name = with_addresses ? &sources_[i].storage : nullptr;
    head.msg_namelen = with_addresses ? sizeof sources_[i].storage : 0;
    head.msg_control = with_addresses ? controls_[i].bytes.data() : nullptr;
    head.msg_controllen = with_addresses ? controls_[i].bytes.size() : 0;
    head.msg_flags = 0;
  }
  const int count = ::recvmmsg(fd, headers_.data(), capacity, MSG_DONTWAIT, nullptr);
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    vectors_[at].iov_len = headers_[at].msg_len;
    sources_[at].size = headers_[at].msg_hdr.msg_namelen;
  }
  return count;
}

local_address datagram_batch::destination(unsigned i) const {
  auto* head = const_cast<msghdr*>(&headers_[i].msg_hdr);
  for (auto* c = CMSG_FIRSTHDR(head); c != nullptr; c = CMSG_NXTHDR(head, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      info.ipi_spec_dst = info.ipi_addr;  // a reply leaves from where the datagram arrived
      info.ipi_ifindex = 0;
      return make_control(IPPROTO_IP, IP_PKTINFO, info);
    }
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) info.ipi6_ifindex = 0;
      return make_control(IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
  }
  return {};
}

int datagram_batch::send(int fd, unsigned first, unsigned last) {
  for (unsigned i = first; i < last; ++i) {
    auto& head = headers_[i].msg_hdr;
    head.msg_name = nullptr;
    head.msg_namelen = 0;
    head.msg_control = nullptr;
    head.msg_controllen = 0;
  }
  return send_prepared(fd, first, last);
}

int datagram_batch::send(int fd, unsigned first, unsigned last, const net::socket_address& to,
                         const local_address& from) {
  for (unsigned i = first; i < last; ++i) {
    auto& head = headers_[i].msg_hdr;
    head.msg_name = const_cast<sockaddr*>(to.get());
    head.msg_namelen = to.size;
    head.msg_control = from.size == 0 ? nullptr : const_cast<char*>(from.control.data());
    head.msg_controllen = from.size;
  }
  return send_prepared(fd, first, last);
}

std::size_t datagram_batch::size_of(unsigned first, unsigned last) const {
  std::size_t sum = 0;
  for (unsigned i = first; i < last; ++i) sum += vectors_[i].iov_len;
  return sum;
}

// As many bytes of the same size each, but for the last one, as the kernel takes in one message (udp(7), UDP_SEGMENT).
bool datagram_batch::is_one_train(unsigned first, unsigned last) const {
  const auto size = vectors_[first].iov_len;
  if (last - first < 2 || size == 0 || size > longest_segment || size * (last - first) > longest_train) return false;
  for (unsigned i = first + 1; i < last; ++i) {
    const auto next = vectors_[i].iov_len;
    if (next == 0 || next > size || (next < size && i + 1 < last)) return false;
  }
  return true;
}

// The kernel routes, filters and queues the train once, and cuts it where it leaves, or at the receiver. False: it has
// refused, as for a path whose packets are smaller, or a device that computes no checksums.
bool datagram_batch::send_as_train(int fd, unsigned first, unsigned last) {
  const auto& one = headers_[first].msg_hdr;
  const auto size = static_cast<std::uint16_t>(vectors_[first].iov_len);
  const auto segments = make_control(SOL_UDP, UDP_SEGMENT, size);
  alignas(cmsghdr) std::array<char, 2 * sizeof(local_address::control)> control{};
  std::memcpy(control.data(), segments.control.data(), segments.size);
  if (one.msg_controllen > 0) std::memcpy(control.data() + segments.size, one.msg_control, one.msg_controllen);
  msghdr train = one;
  train.msg_iov = &vectors_[first];
  train.msg_iovlen = last - first;
  train.msg_control = control.data();
  train.msg_controllen = segments.size + one.msg_controllen;
  return ::sendmsg(fd, &train, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

// Skips a datagram that the kernel refuses, because it is too large for the path or an ICMP error is pending; sends the
// others. A reply that may not leave from the address that the client wrote to leaves from another one: that address
// was a broadcast, or is no longer ours.
int datagram_batch::send_prepared(int fd, unsigned first, unsigned last) {
  sent_bytes_ = 0;
  if (is_one_train(first, last) && send_as_train(fd, first, last)) {
    sent_bytes_ = size_of(first, last);
    return static_cast<int>(last - first);
  }
  int sent = 0;
  while (first < last) {
    const int took = ::sendmmsg(fd, headers_.data() + first, last - first, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (took > 0) {
      const auto next = first + static_cast<unsigned>(took);
      sent += took;
      sent_bytes_ += size_of(first, next);
      first = next;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
      return sent;
    } else if (errno == ECONNREFUSED) {  // the pending error of an earlier datagram: this one was not tried
      continue;
    } else if (std::exchange(headers_[first].msg_hdr.msg_control, nullptr) != nullptr) {
      headers_[first].msg_hdr.msg_controllen = 0;
    } else {
      ++first;
    }
  }
  return sent;
}

}  // namespace relay
