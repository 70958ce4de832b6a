#include "netstack/dhcp/message.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "netstack/bytes.hpp"
#include "netstack/ethernet.hpp"
#include "netstack/ipv4.hpp"

namespace netstack::dhcp {
namespace {

constexpr std::uint8_t boot_request = 1;
constexpr std::uint8_t boot_reply = 2;
constexpr std::uint8_t hardware_ethernet = 1;
constexpr std::uint8_t size_of_mac = 6;
constexpr std::uint16_t broadcast_flag = 0x8000;
constexpr std::uint32_t magic_cookie = 0x63825363;
constexpr std::size_t most_option = 255;
constexpr std::size_t least_message = 300;  // RFC 1542, 2.1
constexpr std::size_t least_most_size = 576;
constexpr std::size_t size_of_ip_and_udp = 28;

// Offsets of the fields.
constexpr std::size_t at_transaction = 4;
constexpr std::size_t at_flags = 10;
constexpr std::size_t at_client = 12;
constexpr std::size_t at_your = 16;
constexpr std::size_t at_relay = 24;
constexpr std::size_t at_hardware = 28;
constexpr std::size_t at_server_name = 44;
constexpr std::size_t at_file = 108;
constexpr std::size_t at_cookie = 236;
constexpr std::size_t at_options = 240;

enum option : std::uint8_t {
  pad = 0,
  subnet_mask = 1,
  router = 3,
  domain_name_server = 6,
  interface_mtu = 26,
  requested_address = 50,
  lease_time = 51,
  overload = 52,
  type_of_message = 53,
  server_id = 54,
  most_message_size = 57,
  client_id = 61,
  domain_search = 119,
  end_of_options = 255,
};

struct found {
  std::optional<std::uint8_t> type, overloaded;
  std::optional<ipv4::address> requested, server;
  std::optional<std::uint16_t> most_size;
  std::optional<bytes_view> client_id;
};

template <class T>
void set_first(std::optional<T>& what, T value) {
  if (!what) what = value;
}

void read_option(found& f, std::uint8_t code, bytes_view body) {
  switch (code) {
    case requested_address:
      if (body.size() == 4) set_first(f.requested, ipv4::address{load_32(body, 0)});
      break;
    case server_id:
      if (body.size() == 4) set_first(f.server, ipv4::address{load_32(body, 0)});
      break;
    case most_message_size:
      if (body.size() == 2) set_first(f.most_size, load_16(body, 0));
      break;
    case type_of_message:
      if (body.size() == 1) set_first(f.type, body[0]);
      break;
    case overload:
      if (body.size() == 1) set_first(f.overloaded, body[0]);
      break;
    case client_id: set_first(f.client_id, body); break;
    default: break;
  }
}

// False: an option is longer than the field, or the end option is missing.
bool read_options(found& f, bytes_view field) {
  while (!field.empty() && field[0] != end_of_options) {
    if (field[0] == pad) {
      field = field.subspan(1);
      continue;
    }
    if (field.size() < 2 || field[1] > field.size() - 2) return false;
    read_option(f, field[0], field.subspan(2, field[1]));
    field = field.subspan(2U + field[1]);
  }
  return !field.empty();
}

// The options field first, then `file`, then `sname` (RFC 2131, 4.1).
std::optional<found> read_all_options(bytes_view payload) {
  constexpr unsigned in_file = 1, in_server_name = 2;
  found f;
  if (!read_options(f, payload.subspan(at_options))) return std::nullopt;
  const unsigned overloaded = f.overloaded.value_or(0);
  if ((overloaded & in_file) != 0 && !read_options(f, payload.subspan(at_file, at_cookie - at_file)))
    return std::nullopt;
  if ((overloaded & in_server_name) != 0 && !read_options(f, payload.subspan(at_server_name, at_file - at_server_name)))
    return std::nullopt;
  return f;
}

bool is_request(bytes_view payload) {
  return payload.size() > at_options && payload[0] == boot_request && payload[1] == hardware_ethernet &&
         payload[2] == size_of_mac && load_32(payload, at_cookie) == magic_cookie;
}

class option_writer {
 public:
  explicit option_writer(std::vector<std::uint8_t>& to) : to_(to) {}

  void put(option code, bytes_view body) {
    to_.push_back(code);
    to_.push_back(static_cast<std::uint8_t>(body.size()));
    to_.insert(to_.end(), body.begin(), body.end());
  }
  void put_8(option code, std::uint8_t value) { put(code, {&value, 1}); }
  void put_16(option code, std::uint16_t value) {
    std::array<std::uint8_t, 2> body{};
    store_16(body, 0, value);
    put(code, body);
  }
  void put_32(option code, std::uint32_t value) {
    std::array<std::uint8_t, 4> body{};
    store_32(body, 0, value);
    put(code, body);
  }
  // A long value is split into several options with the same code (RFC 3396).
  void put_long(option code, bytes_view value) {
    while (!value.empty()) {
      const auto size = std::min(value.size(), most_option);
      put(code, value.first(size));
      value = value.subspan(size);
    }
  }

 private:
  std::vector<std::uint8_t>& to_;
};

void put_configuration(option_writer& options, const configuration& given) {
  options.put_32(lease_time, static_cast<std::uint32_t>(given.lease_time.count()));
  options.put_32(subnet_mask, given.mask.value);
  options.put_32(router, given.router.value);
  options.put_32(domain_name_server, given.dns_server.value);
  options.put_16(interface_mtu, given.mtu);
  options.put_long(domain_search, given.search);
}

}  // namespace

std::optional<request> parse(bytes_view payload) {
  if (!is_request(payload)) return std::nullopt;
  const auto options = read_all_options(payload);
  if (!options || !options->type) return std::nullopt;
  if (*options->type < static_cast<std::uint8_t>(message_type::discover) ||
      *options->type > static_cast<std::uint8_t>(message_type::inform))
    return std::nullopt;
  request r{.type = message_type{*options->type},
            .transaction = load_32(payload, at_transaction),
            .broadcast = (load_16(payload, at_flags) & broadcast_flag) != 0,
            .client_address = {load_32(payload, at_client)},
            .relay = {load_32(payload, at_relay)},
            .hardware = ethernet::read_mac(payload, at_hardware),
            .requested = options->requested,
            .server = options->server,
            .most_size = options->most_size,
            .client_id = options->client_id.value_or(bytes_view{})};
  return r;
}

void write(std::vector<std::uint8_t>& to, const request& r, message_type type, ipv4::address server,
           const std::optional<configuration>& given) {
  to.assign(at_options, 0);
  to[0] = boot_reply;
  to[1] = hardware_ethernet;
  to[2] = size_of_mac;
  store_32(to, at_transaction, r.transaction);
  store_16(to, at_flags, r.broadcast ? broadcast_flag : 0);
  if (type == message_type::ack) store_32(to, at_client, r.client_address.value);
  if (given) store_32(to, at_your, given->address.value);
  std::ranges::copy(r.hardware.bytes, to.begin() + at_hardware);
  store_32(to, at_cookie, magic_cookie);
  option_writer options(to);
  options.put_8(type_of_message, static_cast<std::uint8_t>(type));
  options.put_32(server_id, server.value);
  if (given) put_configuration(options, *given);
  if (!r.client_id.empty()) options.put(client_id, r.client_id);  // RFC 6842
  to.push_back(end_of_options);
  if (to.size() < least_message) to.resize(least_message, 0);
}

std::size_t room_for_search(const request& r, std::uint16_t mtu) {
  constexpr std::size_t others = 3 + 5 * 6 + 4 + 1;  // type, numbers of four bytes, MTU, end
  const std::size_t takes = std::max<std::size_t>(r.most_size.value_or(least_most_size), least_most_size);
  const auto most = std::min<std::size_t>(takes, mtu);
  const auto fixed = size_of_ip_and_udp + at_options + others + (r.client_id.empty() ? 0 : 2 + r.client_id.size());
  if (most <= fixed) return 0;
  const auto room = most - fixed;
  const auto headers = (room + most_option + 1) / (most_option + 2) * 2;  // one for each 255 bytes or part of them
  return room > headers ? room - headers : 0;
}

}  // namespace netstack::dhcp
