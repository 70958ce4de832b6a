// dns_port: carries the VM's DNS questions over UDP to the control thread, and the answers back, by a pair of sockets
// of this process. Each record has a head of 8 bytes (the VM's address and port, two zero bytes) and the DNS message.
// Owned by plane; loop thread only. A question that the control thread does not accept in time is dropped and counted:
// DNS clients repeat it.
#pragma once

#include <array>
#include <cstdint>

#include "base/unique_fd.hpp"
#include "translator/shared.hpp"

namespace translator {

inline constexpr std::size_t dns_record_head = 8;
[[nodiscard]] std::array<std::uint8_t, dns_record_head> dns_head_of(const netstack::endpoint& vm);
// `record` has at least the head.
[[nodiscard]] netstack::endpoint dns_asker_of(netstack::bytes_view record);

class dns_port final : public os::event_handler {
 public:
  // `fd`: one end of a non-blocking pair of SOCK_SEQPACKET sockets. `service`: the source of the answers.
  dns_port(shared& common, netstack::endpoint service, base::unique_fd fd)
      : common_(common), service_(service), fd_(std::move(fd)) {}
  ~dns_port() override;
  dns_port(const dns_port&) = delete;
  dns_port& operator=(const dns_port&) = delete;

  [[nodiscard]] bool watch();
  void ask(const netstack::action::datagram& question);
  void on_event(unsigned which, std::uint32_t events) override;

 private:
  shared& common_;
  netstack::endpoint service_;
  base::unique_fd fd_;
};

}  // namespace translator
