// page_access: which requests the status page answers. It has no login: what it shows, every user of the VM and of the
// host may read. Pages of other sites may not, so each request is checked:
//
//   method          GET or HEAD: the page is read-only
//   Host            localhost, 127.0.0.1, [::1] or the page's own address, with any port: the host may map the port. A
//                   name of another site that resolves to this address is refused (DNS rebinding)
//   Origin          if present, that of the page itself
//   Sec-Fetch-Site  if present, a request of the page itself or of the person. A link of another site may open the
//                   page, and nothing else of it
//
// Pure.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "http/message.hpp"
#include "net/address.hpp"

namespace guest_agent {

// The answer to a request that is denied. `page`: the address at which the page listens.
[[nodiscard]] std::optional<http::response> deny(const http::request& request, const net::address& page);

// Adds the headers that every answer has: not stored, not framed, not embedded, and a policy that allows nothing unless
// the answer has one.
void protect(http::response& answer);

// The event streams that may be open at a time, of all clients and of one. Users of the VM itself count as one client,
// whichever loopback address they use, and so do all users of the host: host-switch connects for them.
class stream_places {
  struct book {
    std::size_t taken = 0;
    std::map<std::string, std::size_t> by_client;
  };

 public:
  // Gives its place back at the end. May outlive the stream_places: a stream ends after its server.
  class place {
   public:
    place(std::shared_ptr<book> of, std::string client) : of_(std::move(of)), client_(std::move(client)) {}
    place(place&& other) noexcept = default;
    place& operator=(place&&) = delete;
    ~place();

   private:
    std::shared_ptr<book> of_;
    std::string client_;
  };

  stream_places(std::size_t of_all, std::size_t of_one) : of_all_(of_all), of_one_(of_one) {}

  // `peer`: the client's address as text.
  [[nodiscard]] bool has_room(std::string_view peer) const;
  [[nodiscard]] std::optional<place> take(std::string_view peer);  // empty: there is no room
  [[nodiscard]] std::size_t taken() const { return book_->taken; }

 private:
  std::size_t of_all_, of_one_;
  std::shared_ptr<book> book_ = std::make_shared<book>();
};

}  // namespace guest_agent
