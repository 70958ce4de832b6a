#include "os/resolve.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "async/clock.hpp"
#include "async/task.hpp"
#include "base/result.hpp"
#include "net/address.hpp"
#include "net/endpoint.hpp"
#include "os/name_channel.hpp"

namespace os {
namespace {

constexpr std::chrono::seconds most_wait{30};
constexpr std::chrono::milliseconds wait_for_both{300};

using found_addresses = base::result<std::vector<net::address>>;

// One look-up. Its end, at the latest with the coroutine that owns it, ends the channel's questions.
class look_up {
 public:
  look_up(const async::executor& where, std::string host)
      : host_(std::move(host)), timer_(where), channel_(std::make_shared<name_channel>(where, name_settings{})) {
    channel_->look_up(host_, address_kinds::both, [this](found_addresses found) { end_with(std::move(found)); });
  }
  look_up(const look_up&) = delete;
  look_up& operator=(const look_up&) = delete;
  ~look_up() { channel_->stop(); }

  // The first kind that has an address ends the look-up. That a kind has none does not: the other may have one.
  void ask_for_each_kind() {
    for (const auto kind : {address_kinds::ipv4, address_kinds::ipv6})
      channel_->look_up(host_, kind, [this](found_addresses found) {
        if (found) end_with(std::move(found));
      });
  }

  [[nodiscard]] bool done() const { return found_.has_value(); }
  // Returns when it is done, or after `limit`.
  async::task<> wait(async::clock::duration limit) {
    if (done()) co_return;
    timer_.expires_after(limit);
    co_await timer_.async_wait(async::nothrow);
    co_await async::check_cancelled();
  }
  [[nodiscard]] found_addresses take() {
    auto found = std::exchange(found_, std::nullopt);
    if (!found) return base::fail(std::errc::timed_out, "name servers");
    return std::move(*found);
  }

 private:
  void end_with(found_addresses found) {
    if (done()) return;
    found_ = std::move(found);
    timer_.cancel();
  }

  std::string host_;
  async::timer timer_;
  std::optional<found_addresses> found_;
  std::shared_ptr<name_channel> channel_;
};

}  // namespace

async::task<base::result<std::vector<net::endpoint>>> resolve(std::string host, std::uint16_t port) {
  if (const auto numeric = net::address::parse(host)) co_return std::vector{net::endpoint{*numeric, port}};
  look_up work(co_await async::asio::this_coro::executor, host);
  co_await work.wait(wait_for_both);
  if (!work.done()) work.ask_for_each_kind();
  co_await work.wait(most_wait - wait_for_both);
  const auto found = work.take();
  if (!found) co_return base::fail(found.error().code, "resolve " + host + ": " + found.error().context);
  std::vector<net::endpoint> made;
  for (const auto& ip : *found) made.push_back({ip, port});
  co_return made;
}

}  // namespace os
