#include "programs/vm_switch/frame_pump.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <system_error>
#include <utility>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "link/framing.hpp"
#include "link/link_counters.hpp"
#include "link/offload_agreement.hpp"
#include "link/plain_frame.hpp"
#include "link/stream_link.hpp"
#include "link/tap_device.hpp"
#include "programs/vm_switch/frame_trace.hpp"

namespace vm_switch {
namespace {

using links::virtio_header_size;

constexpr std::size_t frames_of_turn = 64;
constexpr std::size_t room_of_frame = virtio_header_size + links::largest_frame(links::framing::qemu);
constexpr std::size_t buffer_size = (std::size_t{256} << 10U) + room_of_frame;
constexpr std::size_t most_out_of_date = 65'536;  // frames; more than any queue of a tap holds

void add(links::link_counters& to, const links::link_counters& more) {
  to.frames_in += more.frames_in;
  to.bytes_in += more.bytes_in;
  to.frames_out += more.frames_out;
  to.bytes_out += more.bytes_out;
  to.reads += more.reads;
  to.writes += more.writes;
  to.dropped += more.dropped;
  to.oversized += more.oversized;
}

}  // namespace

frame_pump::frame_pump(links::tap_device tap, report lost, report tap_failed)
    : tap_(std::move(tap)),
      lost_(std::move(lost)),
      tap_failed_(std::move(tap_failed)),
      buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(buffer_size)) {}

frame_pump::~frame_pump() {
  loop_.call([this] {
    if (link_) drop_link();
  });
}

void frame_pump::attach(base::unique_fd link, bool asks_offload) {
  loop_.call([&] {
    if (link_) drop_link();
    throw_away_what_waited();
    const auto role = asks_offload ? links::offload_role::vm : links::offload_role::none;
    link_ = std::make_unique<links::stream_link>(std::move(link), links::stream_options{.offload = role});
    if (!loop_.watch(link_->fd(), *this, link_side, EPOLLIN)) return settle(base::fail_errno("watch the link"));
    settle(link_->flush());  // it may have a marker to send
  });
}

pump_counters frame_pump::counters() {
  pump_counters all;
  loop_.call([&] {
    all = counters_;
    if (link_) add(all.link, link_->counters());
  });
  return all;
}

bool frame_pump::has_link() {
  bool linked = false;
  loop_.call([&] { linked = link_ != nullptr; });
  return linked;
}

void frame_pump::throw_away_what_waited() {
  for (std::size_t i = 0; i < most_out_of_date && !tap_dead_; ++i) {
    const auto frame = tap_.read({buffer_.get(), room_of_frame});
    if (!frame) return fail_tap(frame.error());
    if (frame->empty()) return;
    ++counters_.out_of_date;
  }
}

void frame_pump::on_event(unsigned which, std::uint32_t events) {
  if (which == tap_side) return from_tap();
  if (!link_) return;
  if ((events & EPOLLOUT) != 0) settle(link_->flush());
  if (link_ && (events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) from_link();
}

void frame_pump::from_link() {
  const auto count = link_->read();
  const bool traced = tracing_;
  for (const auto& f : link_->frames()) {
    if (traced) trace_frame("in", f.frame);
    if (!tap_.write(f.header, f.frame)) ++counters_.refused;
  }
  settle(count ? link_->flush() : std::unexpected(count.error()));
}

void frame_pump::from_tap() {
  if (!link_) return set_interest();
  const auto outcome = read_tap();
  if (!outcome) return fail_tap(outcome.error());
}

// Sends up to frames_of_turn frames to the link. An error is the tap's.
base::result<std::size_t> frame_pump::read_tap() {
  std::size_t used = 0, frames = 0;
  base::result<> sent;
  for (; frames < frames_of_turn && buffer_size - used >= room_of_frame && sent; ++frames) {
    const auto got = tap_.read({buffer_.get() + used, room_of_frame});
    if (!got) return std::unexpected(got.error());
    if (got->empty()) break;
    sent = send(*got);
    used += got->size();
  }
  settle(sent ? link_->flush() : sent);
  return frames;
}

base::result<> frame_pump::send(links::bytes_span with_header) {
  if (with_header.size() < virtio_header_size) return {};
  const auto header = with_header.first(virtio_header_size), frame = with_header.subspan(virtio_header_size);
  if (!link_->takes_offload() && !links::make_plain(header, frame)) {
    ++counters_.not_plain;
    return {};
  }
  if (tracing_) trace_frame("out", frame);
  const std::array<links::bytes_view, 1> parts{frame};
  return link_->send(header, parts);
}

// After each use of the link: handles its end, and sets the events to wait for.
void frame_pump::settle(const base::result<>& outcome) {
  if (!outcome) {
    const auto why = outcome.error().message();
    drop_link();
    return lost_(why);
  }
  if (link_->takes_offload() != offload_) {
    offload_ = link_->takes_offload();
    if (const auto set = tap_.set_offload(offload_); !set) return fail_tap(set.error());
  }
  set_interest();
}

void frame_pump::set_interest() {
  const bool reads_tap = link_ && !link_->is_blocked() && !tap_dead_;
  if (reads_tap != tap_watched_) {
    tap_watched_ = reads_tap;
    if (!reads_tap)
      loop_.unwatch(tap_.fd());
    else if (!loop_.watch(tap_.fd(), *this, tap_side, EPOLLIN))
      return fail_tap({std::make_error_code(std::errc::not_enough_memory), "watch the tap interface"});
  }
  if (!link_ || wants_write_ == link_->is_blocked()) return;
  wants_write_ = link_->is_blocked();
  loop_.change(link_->fd(), *this, link_side, wants_write_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

// network-setup has a copy of the descriptor, so close() alone would not end the connection.
void frame_pump::drop_link() {
  loop_.unwatch(link_->fd());
  ::shutdown(link_->fd(), SHUT_RDWR);
  add(counters_.link, link_->counters());
  link_.reset();
  wants_write_ = false;
  if (offload_ && !tap_dead_) static_cast<void>(tap_.set_offload(false));
  offload_ = false;
  set_interest();
}

void frame_pump::fail_tap(const base::error& why) {
  if (tap_dead_) return;
  tap_dead_ = true;
  set_interest();
  tap_failed_(why.message());
}

}  // namespace vm_switch
