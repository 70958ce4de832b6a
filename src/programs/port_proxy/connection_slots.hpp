// connection_slots: which connection a message server closes for a newcomer when all slots are taken. Pure.
//
// The caller with the most connections gives one up; if several have the most, the newcomer's own caller does. The
// connection to close is the one that has been silent for longest, but never one of its caller's oldest. Among the
// oldest is the idle connection by which an agent knows that it still reaches the server (docs/adr/0009).
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "programs/port_proxy/caller.hpp"

namespace port_proxy {

struct connection_slot {
  caller who;
  std::chrono::steady_clock::time_point heard;  // when it sent something last, or was accepted
};

inline constexpr std::size_t oldest_kept = 8;  // of one caller; at most half of the slots

// `taken`: all of the `limit` slots, in the order in which the connections were accepted. The index of the connection
// to close; nullopt: the newcomer gets no slot.
[[nodiscard]] std::optional<std::size_t> choose_victim(std::span<const connection_slot> taken, const caller& newcomer,
                                                       std::size_t limit);

}  // namespace port_proxy
