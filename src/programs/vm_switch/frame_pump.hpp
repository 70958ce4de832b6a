// frame_pump: copies frames between the tap interface and the link, both ways. It is the data plane of vm-switch, on a
// thread of its own; its owner calls it from the control thread.
//
// Theory of operation. From the tap up to 64 frames a turn, packed behind each other in one buffer, and one write to the
// link. From the link one read of up to a megabyte, and one write to the tap for each of its frames. With offload both
// directions pass the virtio-net header on as it is.
//
// A link that does not take what is written stops the reading of the tap; the kernel then queues, and drops when the
// tap's queue is full. Without a link the tap is not read at all. When a link comes, what waited is thrown away: it is
// of another time.
//
//   no link  ── attach() ──▶  flowing  ── the link takes no more ──▶  blocked ── writable ──▶ flowing
//      ◀──────────────────────── an error of the link, reported once ───────────┘
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "link/stream_link.hpp"
#include "link/tap_device.hpp"
#include "os/event_loop.hpp"

namespace vm_switch {

struct pump_counters {
  links::link_counters link{};    // of all links so far
  std::uint64_t refused = 0;      // frames that the kernel did not take from us
  std::uint64_t not_plain = 0;    // frames of the tap that a link without offload cannot carry
  std::uint64_t out_of_date = 0;  // frames that waited while there was no link
};

class frame_pump final : public os::event_handler {
 public:
  // `lost` is called on the pump's thread when the link has ended, with the reason; tap_failed when the tap has.
  using report = std::function<void(std::string reason)>;
  frame_pump(links::tap_device tap, report lost, report tap_failed);
  frame_pump(const frame_pump&) = delete;
  frame_pump& operator=(const frame_pump&) = delete;
  ~frame_pump() override;

  // The link from now on; the one before is closed. `asks_offload`: asks the other end for it.
  void attach(base::unique_fd link, bool asks_offload);
  // A line in the log for each frame, while on.
  void trace(bool on) { tracing_ = on; }
  [[nodiscard]] pump_counters counters();
  [[nodiscard]] bool has_link();

  void on_event(unsigned which, std::uint32_t events) override;

 private:
  enum which : unsigned { tap_side = 0, link_side = 1 };

  void from_tap();
  void from_link();
  base::result<std::size_t> read_tap();
  base::result<> send(links::bytes_span with_header);
  void settle(const base::result<>& outcome);
  void set_interest();
  void drop_link();
  void fail_tap(const base::error& why);
  void throw_away_what_waited();

  links::tap_device tap_;
  report lost_, tap_failed_;
  std::atomic<bool> tracing_ = false;
  std::optional<links::stream_link> link_;
  bool tap_watched_ = false, tap_dead_ = false, wants_write_ = false, offload_ = false;
  std::unique_ptr<std::uint8_t[]> buffer_;
  pump_counters counters_;
  os::event_loop loop_;  // the last member: its thread ends first
};

}  // namespace vm_switch
