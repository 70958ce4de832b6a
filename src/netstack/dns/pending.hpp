// pending: the questions that an upstream is asked at this time, and who waits for the answers. Owned by the server.
//
// Theory of operation. A question has a slot until its answer, its failure or its deadline. The slot's generation makes a
// late answer harmless: its token names no question any more. Upstream a question has an id of its own, which no other
// question in progress has.
//
// Bounds: most questions in all, for each client's address and for each connection. What comes at a bound is refused;
// questions in progress stay. A question that its client repeats is not asked again.
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

// Where an answer goes.
struct client {
  ipv4::address address;
  std::uint16_t port = 0;
  std::uint64_t connection = 0;  // the owner's number for a TCP connection; 0 for UDP
  dns::transport transport = dns::transport::udp;

  bool operator==(const client&) const = default;
};

// A question in progress; never used again while it could be confused.
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
  // `random_id` must be unpredictable: the ids are a part of what makes a forged answer fail (RFC 5452).
  pending(pending_limits limits, std::function<std::uint16_t()> random_id);

  struct question {
    client from;
    std::vector<std::uint8_t> bytes;  // as the client wrote them
  };
  struct started {
    dns::token token;
    std::uint16_t upstream_id = 0;
  };
  enum class refusal : std::uint8_t { repeated, full };

  // `bytes` has at least two, which are the client's id.
  std::expected<started, refusal> add(const client& from, bytes_view bytes, time_point now);
  // Nothing: answered before, expired or forgotten.
  std::optional<question> take(token t);
  // One whose deadline has come; the next call yields the next one.
  std::optional<question> take_expired(time_point now);
  // When take_expired() has something to yield; max() for never.
  [[nodiscard]] time_point wake_at() const;
  // The connection (not 0) is gone, and the questions that came by it.
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
