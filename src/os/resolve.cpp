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

using found_addresses = base::result<std::vector<net::address>>;

// One look-up. Its end, at the latest with the coroutine that owns it, ends the channel's questions.
class look_up {
 public:
  look_up(const async::executor& where, const std::string& host)
      : deadline_(where, most_wait), channel_(std::make_shared<name_channel>(where, name_settings{})) {
    channel_->look_up(host, [this](found_addresses found) {
      found_ = std::move(found);
      deadline_.cancel();
    });
  }
  look_up(const look_up&) = delete;
  look_up& operator=(const look_up&) = delete;
  ~look_up() { channel_->stop(); }

  [[nodiscard]] bool done() const { return found_.has_value(); }
  [[nodiscard]] async::timer& deadline() { return deadline_; }
  [[nodiscard]] found_addresses take() {
    auto found = std::exchange(found_, std::nullopt);
    if (!found) return base::fail(std::errc::timed_out, "name servers");
    return std::move(*found);
  }

 private:
  async::timer deadline_;
  std::optional<found_addresses> found_;
  std::shared_ptr<name_channel> channel_;
};

}  // namespace

async::task<base::result<std::vector<net::endpoint>>> resolve(std::string host, std::uint16_t port) {
  if (const auto numeric = net::address::parse(host)) co_return std::vector{net::endpoint{*numeric, port}};
  look_up work(co_await async::asio::this_coro::executor, host);
  if (!work.done()) co_await work.deadline().async_wait(async::nothrow);
  co_await async::check_cancelled();
  const auto found = work.take();
  if (!found) co_return base::fail(found.error().code, "resolve " + host + ": " + found.error().context);
  std::vector<net::endpoint> made;
  for (const auto& ip : *found) made.push_back({ip, port});
  co_return made;
}

}  // namespace os
