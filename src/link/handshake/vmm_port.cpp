#include "link/handshake/vmm_port.hpp"

#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <string>
#include <system_error>

#include "async/task.hpp"
#include "base/result.hpp"

namespace handshake {

async::task<base::result<>> connect_to_vm_port(boost::asio::posix::stream_descriptor* vmm, std::uint32_t port) {
  const auto request = "CONNECT " + std::to_string(port) + "\n";
  if (::send(vmm->native_handle(), request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    co_return base::fail_errno("the VMM's socket");
  std::string answer;
  while (!answer.ends_with('\n') && answer.size() < longest_vmm_answer) {
    char next = 0;  // what follows the newline belongs to the stream
    const auto [ec, got] = co_await vmm->async_read_some(boost::asio::buffer(&next, 1), async::nothrow);
    co_await async::check_cancelled();
    if (ec == boost::asio::error::eof)
      co_return base::fail("the VMM refused port " + std::to_string(port) + ": nothing listens there in the VM");
    if (ec) co_return base::fail(std::error_code(ec), "the VMM's socket");
    answer += next;
  }
  if (!answer.starts_with("OK ") || !answer.ends_with('\n')) co_return base::fail("the VMM's answer is not OK");
  co_return base::result<>{};
}

}  // namespace handshake
