#include "tests/bench/network/measures.hpp"

#include <fmt/format.h>

#include <array>

#include "tests/bench/figures.hpp"
#include "tests/bench/network/bulk_load.hpp"
#include "tests/bench/network/idle_load.hpp"

namespace bench {
namespace {

constexpr unsigned many_flows = 64, clients = 16;
constexpr double kilo = 1000;

const char* text_of(direction d) { return d == direction::in ? "in" : "out"; }

// The processors' time comes from the run with one flow.
measure tcp_measure(way w, unsigned flows) {
  std::vector<line> of{{lines::tcp(w, flows)}};
  const bool with_cpu = flows == 1 && w.inner == inner_end::vm;
  const bool with_loss = flows == many_flows && w.to == direction::out;
  if (with_cpu) {
    of.push_back({lines::cpu(w.to), false});
    of.push_back({fmt::format("CPU {}, and the VM's end, s/GB", text_of(w.to)), false});
  }
  if (with_loss) of.push_back({lines::retransmitted, false});
  return {of, [=](const subject& s, duration length) {
            const auto f = bulk(s, w, flows, length);
            std::vector<double> values{f.gigabits};
            if (with_cpu) values.insert(values.end(), {f.host_cpu, f.both_cpu});
            if (with_loss) values.push_back(f.retransmitted);
            return values;
          }};
}

measure connections_measure(direction d) {
  return {{{lines::connections(d)}}, [=](const subject& s, duration length) {
            const support::inside there(s.client_place({d}));
            return std::vector{connection_rate(s.target({d}, answer_port), clients, length) / kilo};
          }};
}

measure round_trip_measure(direction d) {
  return {{{lines::round_trip(d), false, 1}}, [=](const subject& s, duration length) {
            const support::inside there(s.client_place({d}));
            return std::vector{requests(s.target({d}, answer_port), 1, length).p50};
          }};
}

measure requests_measure(direction d) {
  return {{{fmt::format("requests {} on 64 connections, thousands/s", text_of(d)), true, 1}},
          [=](const subject& s, duration length) {
            const support::inside there(s.client_place({d}));
            return std::vector{requests(s.target({d}, answer_port), many_flows, length).per_second / kilo};
          }};
}

measure udp_measure(direction d) {
  return {{{lines::udp_lost(d), false}, {fmt::format("UDP {} at 1 Gbit/s, Gbit/s arrive", text_of(d))}},
          [=](const subject& s, duration length) {
            const auto f = udp_at_one_gigabit(s, {d}, length);
            return std::vector{f.lost, f.gigabits};
          }};
}

measure packets_measure(direction d) {
  return {{{fmt::format("UDP {}, 200 bytes and back, thousands/s", text_of(d)), true, 1}},
          [=](const subject& s, duration length) {
            constexpr unsigned udp_clients = 4, window = 32;
            constexpr std::size_t bytes = 200;
            const support::inside there(s.client_place({d}));
            return std::vector{datagram_rate(s.target({d}, echo_port), udp_clients, window, bytes, length) / kilo};
          }};
}

}  // namespace

std::string lines::tcp(way w, unsigned flows) {
  return fmt::format("TCP {}{}, {} flow{}, Gbit/s", text_of(w.to), w.inner == inner_end::container ? ", container" : "",
                     flows, flows == 1 ? "" : "s");
}
std::string lines::cpu(direction d) { return fmt::format("CPU {}, host's end, s/GB", text_of(d)); }
std::string lines::connections(direction d) { return fmt::format("connections {}, thousands/s", text_of(d)); }
std::string lines::round_trip(direction d) { return fmt::format("round trip {}, us", text_of(d)); }
std::string lines::udp_lost(direction d) { return fmt::format("UDP {} at 1 Gbit/s, % lost", text_of(d)); }

std::vector<measure> traffic_measures() {
  constexpr std::array both{direction::in, direction::out};
  std::vector<measure> all;
  for (const auto d : both)
    for (const unsigned flows : {1U, 4U, many_flows}) all.push_back(tcp_measure({d}, flows));
  for (const auto d : both)
    for (const unsigned flows : {1U, 4U}) all.push_back(tcp_measure({d, inner_end::container}, flows));
  for (const auto make : {connections_measure, round_trip_measure, requests_measure, udp_measure, packets_measure})
    for (const auto d : both) all.push_back(make(d));
  return all;
}

measure peak_memory() {
  return {{{lines::peak_memory, false, 1}}, [](const subject& s, duration) {
            return std::vector{static_cast<double>(figures::status_kib(s.host_end, "VmHWM:")) / 1024};
          }};
}

std::vector<measure> fresh_measures() {
  const measure idle_connections{{{"memory, just started, MB", false, 1},
                                  {lines::idle_memory, false, 1},
                                  {lines::idle_wakeups, false, 1},
                                  {lines::stuck_wakeups, false, 1}},
                                 [](const subject& s, duration) {
                                   const auto f = idle(s);
                                   return std::vector{f.fresh_megabytes, f.idle_kilobytes, f.idle_wakeups,
                                                      f.stuck_wakeups};
                                 }};
  const measure short_connections{{{"memory, after 30,000 short connections, MB", false, 1},
                                   {lines::growth, false, 1},
                                   {"short connections made for it", true, 0}},
                                  [](const subject& s, duration) {
                                    const auto f = growth_by_short_connections(s);
                                    return std::vector{f.after, f.megabytes, f.connections};
                                  }};
  return {idle_connections, short_connections};
}

}  // namespace bench
