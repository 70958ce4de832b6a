// slot_table: which connections a server keeps when it has too few slots. Pure; time is an argument.
//
//   waiting    has not sent a whole request yet             closed first
//   leaving    is being answered, and closed afterwards     closed first
//   streaming  receives an answer without an end            stays
//   standing   was answered and stays open                  gives way to one that has sent a request
//
// No connection is closed before its turn has ended: the time in which it can send its request and take the answer. A
// turn begins when the connection is accepted, and with each request.
//
// A newcomer that finds all slots taken gets the slot of a waiting or leaving connection: the caller with the most of
// them loses its oldest. A quarter of the slots never stands, so newcomers find room as answers end. Once the other
// three quarters stand, a connection that has sent a request takes the place of the longest idle one: that of another
// caller with at least two more of them, or of its own caller. So an active client cannot keep another one at the same
// address from standing.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace http {

class slot_table {
 public:
  using id = std::uint64_t;  // of a connection, in the order in which they were accepted
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds turn{100};

  explicit slot_table(std::size_t slots) : slots_(slots), most_standing_(slots - slots / 4) {}

  // Whether a newcomer gets a slot, and which connection to close for it. Refused: ask again when a connection has
  // left, or at `again`.
  struct admission {
    bool granted = false;
    std::optional<id> victim{};
    time_point again = time_point::max();
  };
  [[nodiscard]] admission admit(time_point now) const;
  void enter(id connection, std::string caller, time_point now);
  void leave(id connection);

  // A whole request has arrived. Granted: the connection stays open after the answer.
  admission stand(id connection, time_point now);
  // The answer has been taken: a standing connection is idle now, and its turn has ended.
  void answered(id connection);
  void stream(id connection);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  enum class state { waiting, leaving, streaming, standing };
  struct entry {
    std::string caller;
    state is = state::waiting;
    std::uint64_t last_use = 0;  // grows with every request
    time_point turn_ends{};
  };
  // The connections of one caller in one state, and the first of them to go.
  struct group {
    std::size_t count = 0;
    id first = 0;
    std::uint64_t first_use = 0;
  };
  using group_map = std::map<std::string, group>;
  [[nodiscard]] group_map groups(bool standing) const;
  [[nodiscard]] admission instead_of(id victim, time_point now) const;
  [[nodiscard]] admission place_among_standing(const std::string& caller, time_point now) const;
  void use(entry& e, time_point now);

  std::size_t slots_, most_standing_;
  std::size_t standing_ = 0;
  std::uint64_t uses_ = 0;
  std::map<id, entry> entries_;
};

}  // namespace http
