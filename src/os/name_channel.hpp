// name_channel: one channel of the resolver library c-ares on an io_context. Shared by its owner and by its questions
// in progress; used on the loop's thread alone. Every question has one result, at the latest from c-ares' own
// time-outs; stop() ends all without results.
//
// Theory of operation. A channel reads resolv.conf once, when it is made, so a changed file needs a new channel. It
// reads the hosts file at each look-up. c-ares takes a file that it cannot read for an empty one, and waits for a pipe:
// so both are looked at before. c-ares reports which of its sockets it wants to read or write; the channel waits for
// those and for c-ares' next time-out. c-ares closes its sockets while no question is in progress.
#pragma once

#include <ares.h>

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "async/task.hpp"
#include "base/result.hpp"
#include "net/address.hpp"

namespace os {

enum class address_kinds : std::uint8_t { both, ipv4, ipv6 };

struct name_settings {
  bool by_tcp = false;
  bool passes_truncated = false;             // an answer that was cut is passed on, rather than asked again by TCP
  std::optional<std::string> resolv_conf{};  // instead of /etc/resolv.conf
};

class name_channel : public std::enable_shared_from_this<name_channel> {
 public:
  using message = std::span<const std::uint8_t>;
  using message_result = std::function<void(std::optional<message>)>;
  using address_result = std::function<void(base::result<std::vector<net::address>>)>;

  name_channel(const async::executor& where, const name_settings& settings);
  name_channel(const name_channel&) = delete;
  name_channel& operator=(const name_channel&) = delete;
  ~name_channel() { stop(); }

  // Why the channel could not be made, or has ended; empty while it works.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  // Ends the channel without results. Not from within a result.
  void stop();

  // Sends a whole DNS message. nullopt: no server gave an answer. May call `to` at once.
  void send(message question, message_result to);
  // Looks a name up in the hosts file, then at the name servers. At least one address, in the order in which to try
  // them. Both kinds are two questions, and the result waits for both answers. May call `to` at once.
  void look_up(const std::string& name, address_kinds kinds, address_result to);
  // Those of resolv.conf.
  [[nodiscard]] std::vector<std::string> search_domains() const;

 private:
  struct watched;
  template <class Result>
  struct question;
  static void on_answer(void* waiting, int status, int timeouts, unsigned char* bytes, int size);
  static void on_addresses(void* waiting, int status, int timeouts, ares_addrinfo* found);
  static void on_socket(void* self, ares_socket_t fd, int readable, int writable);
  void watch(int fd, bool readable, bool writable);
  void wait(int fd, const std::shared_ptr<watched>& one);
  void on_ready(int fd, const std::shared_ptr<watched>& one, bool readable);
  void arm_timer();

  async::executor where_;
  async::asio::steady_timer timer_;
  ares_channeldata* ares_ = nullptr;  // nullptr: there is a failure
  std::string failure_;
  bool silent_ = false;
  std::map<int, std::shared_ptr<watched>> sockets_;
};

}  // namespace os
