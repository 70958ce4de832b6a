// pending: the questions in progress at an upstream, and the clients that wait for the answers. Owned by the server.
//
// Theory of operation. A question has a slot until its answer, its failure or its deadline. The slot's generation makes
// a late answer harmless: its token identifies no question any more. Upstream a question has an id of its own, which no
// other question in progress has.
//
// Bounds: the number of questions in all, for each client's address and for each connection. Questions beyond a bound
// are refused; those in progress stay. A question that its client repeats is not sent again.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <vector>

#include "netstack/bytes.hpp"
#include "netstack/fragments.hpp"
#include "netstack/ipv4.hpp"

namespace netstack::dns {

enum class transport : std::uint8_t { udp, tcp };

// The destination of an answer.
struct client {
  ipv4::address address;
  std::uint16_t port = 0;
  std::uint64_t connection = 0;  // the owner's number for a TCP connection; 0 for UDP
  dns::transport transport = dns::transport::udp;

  bool operator==(const client&) const = default;
};

// Identifies a question in progress; not reused while it could be confused with another one.
struct token {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  bool operator==(const token&) const = default;
};

struct pending_limits {
  std::size_t most = 512;
  std::size_t most_of_client = 256;
  std::size_t most_of_connection = 64;
  std::chrono::milliseconds wait{10'000};
};

class pending {
 public:
  // `random_id` must be unpredictable: a forged answer has to guess the id (RFC 5452).
  pending(pending_limits limits, std::function<std::uint16_t()> random_id);

  struct question {
    client from;
    std::vector<std::uint8_t> bytes;  // as the client sent them
  };
  struct started {
    dns::token token;
    std::uint16_t upstream_id = 0;
  };
  enum class refusal : std::uint8_t { repeated, full };

  // `bytes` has at least two bytes, the client's id.
  std::expected<started, refusal> add(const client& from, bytes_view bytes, time_point now);
  // nullopt: already answered, expired or removed.
  std::optional<question> take(token t);
  // A question whose deadline has passed; the next call returns the next one.
  std::optional<question> take_expired(time_point now);
  // When take_expired() has something to return; max() for never.
  [[nodiscard]] time_point wake_at() const;
  // Removes the questions of the connection (not 0), which is closed.
  void forget(std::uint64_t connection);

  [[nodiscard]] std::size_t size() const { return used_; }

 private:
  struct slot {
    question what;
    time_point deadline;
    std::uint32_t generation = 0;
    std::uint16_t upstream_id = 0;
    bool used = false;
  };

  [[nodiscard]] std::optional<refusal> refuses(const client& from, bytes_view bytes) const;
  [[nodiscard]] std::uint16_t new_id() const;
  question release(slot& s);

  pending_limits limits_;
  std::function<std::uint16_t()> random_id_;
  std::vector<slot> slots_;  // grows to limits_.most
  std::size_t used_ = 0;
};

}  // namespace netstack::dns
