#include "translator/dns_port.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "netstack/bytes.hpp"
#include "netstack/stack/action.hpp"
#include "netstack/stack/flow_id.hpp"
#include "translator/shared.hpp"

namespace translator {
namespace {

constexpr std::size_t largest_record = 65'535 + dns_record_head;
constexpr int answers_at_once = 64;

}  // namespace

std::array<std::uint8_t, dns_record_head> dns_head_of(const netstack::endpoint& vm) {
  std::array<std::uint8_t, dns_record_head> head{};
  netstack::store_32(head, 0, vm.address.value);
  netstack::store_16(head, 4, vm.port);
  return head;
}

netstack::endpoint dns_asker_of(netstack::bytes_view record) {
  return {{netstack::load_32(record, 0)}, netstack::load_16(record, 4)};
}

dns_port::~dns_port() { common_.loop.unwatch(fd_.get()); }

bool dns_port::watch() { return common_.loop.watch(fd_.get(), *this, 0, EPOLLIN); }

void dns_port::ask(const netstack::action::datagram& question) {
  auto head = dns_head_of(question.from);
  std::array<iovec, 2> parts{
      {{head.data(), head.size()}, {const_cast<std::uint8_t*>(question.payload.data()), question.payload.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  if (::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) increment(common_.count.questions_dropped);
}

void dns_port::on_event(unsigned /*which*/, std::uint32_t /*events*/) {
  static thread_local std::array<std::uint8_t, largest_record> record;
  for (int i = 0; i < answers_at_once; ++i) {
    const auto got = ::recv(fd_.get(), record.data(), record.size(), MSG_DONTWAIT);
    if (got == 0) return common_.loop.unwatch(fd_.get());  // the control thread has ended
    if (got < static_cast<ssize_t>(dns_record_head)) return;
    const netstack::bytes_view all(record.data(), static_cast<std::size_t>(got));
    if (!common_.stack.send_datagram(service_, dns_asker_of(all), all.subspan(dns_record_head), false, common_.now()))
      increment(common_.count.datagrams_dropped);
  }
}

}  // namespace translator
