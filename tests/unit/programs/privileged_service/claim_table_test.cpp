#include "programs/privileged_service/claim_table.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

namespace privileged_service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

port_mapping::connect_address at(const char* ip) { return {net::address::parse(ip).value(), 20}; }
const std::vector<port_mapping::connect_address> vm_a{at("172.26.1.5"), at("fe80::5"), at("fd00::5")};
const std::vector<port_mapping::connect_address> vm_b{at("172.26.1.9"), at("fe80::5")};

port_mapping::message message(bool remove, const char* host, std::uint16_t port,
                              std::vector<port_mapping::connect_address> vm) {
  return {.remove = remove,
          .bindings = {{net::protocol::tcp, 80, {net::address::parse(host).value(), port}}},
          .connect_addresses = std::move(vm)};
}
std::string text(const outcome& o) {
  std::string all;
  for (const auto& c : o.changes) {
    if (!all.empty()) all += ", ";
    all += to_string(c.key) + (c.target ? " -> " + net::to_string(*c.target) : " closed");
  }
  return all;
}

class claim_table_test : public testing::Test {
 protected:
  std::string add(const char* host, std::uint16_t port, const std::vector<port_mapping::connect_address>& vm) {
    return text(last = table.apply(message(false, host, port, vm), first));
  }
  std::string remove(const char* host, std::uint16_t port, const std::vector<port_mapping::connect_address>& vm) {
    return text(last = table.apply(message(true, host, port, vm), first));
  }
  std::string add_as(const port_proxy::caller& sender, std::uint16_t port,
                     const std::vector<port_mapping::connect_address>& vm) {
    return text(last = table.apply(message(false, "0.0.0.0", port, vm), sender));
  }
  std::string remove_as(const port_proxy::caller& sender, std::uint16_t port,
                        const std::vector<port_mapping::connect_address>& vm) {
    return text(last = table.apply(message(true, "0.0.0.0", port, vm), sender));
  }
  claim_options options(std::size_t claims = 1'000) {
    return {.claims = claims,
            .is_alive = [this](const port_proxy::caller& who) { return !ended.contains(who); },
            .refuse_target = {[](const net::address& ip) {
              return ip == net::address::v4(192, 0, 2, 7) ? std::string("is a third machine") : std::string();
            }}};
  }
  const port_proxy::caller first{100, 1}, second{200, 2};
  std::set<port_proxy::caller> ended;
  claim_table table{options()};
  outcome last;
};

TEST_F(claim_table_test, connects_to_the_address_of_the_bindings_family) {
  EXPECT_EQ(add("127.0.0.1", 80, vm_a), "tcp 127.0.0.1:80 -> 172.26.1.5:80");
  EXPECT_EQ(add("::1", 80, vm_a), "tcp [::1]:80 -> [fd00::5]:80");
  EXPECT_EQ(add("0.0.0.0", 81, vm_a), "tcp 0.0.0.0:81 -> 172.26.1.5:81");
  EXPECT_EQ(add("::", 81, vm_a), "") << "the wildcard of both families is one";
  EXPECT_EQ(add("0.0.0.0", 82, {at("fd00::5")}), "tcp 0.0.0.0:82 -> [fd00::5]:82") << "there is no choice";
  EXPECT_EQ(add("::1", 83, vm_b), "");
  EXPECT_THAT(last.notes, ElementsAre(HasSubstr("no address of its family")));
}

TEST_F(claim_table_test, is_told_again_without_doing_anything) {
  add("0.0.0.0", 80, vm_a);
  EXPECT_EQ(add("0.0.0.0", 80, vm_a), "");
  EXPECT_THAT(last.notes, IsEmpty());
  EXPECT_EQ(remove("0.0.0.0", 80, vm_a), "tcp 0.0.0.0:80 closed");
  EXPECT_EQ(remove("0.0.0.0", 80, vm_a), "");
}

TEST_F(claim_table_test, vms_do_not_remove_each_others_ports) {
  add("0.0.0.0", 80, vm_a);
  add("0.0.0.0", 81, vm_b);
  EXPECT_EQ(remove("0.0.0.0", 80, vm_b), "");
  EXPECT_EQ(remove("0.0.0.0", 81, vm_a), "");
  EXPECT_EQ(remove("127.0.0.1", 80, vm_a), "") << "another listener";
  EXPECT_EQ(table.size(), 2U);
}

TEST_F(claim_table_test, the_port_of_two_goes_to_the_one_that_came_last_and_back) {
  add("0.0.0.0", 80, vm_a);
  EXPECT_EQ(add("0.0.0.0", 80, vm_b), "tcp 0.0.0.0:80 -> 172.26.1.9:80");
  EXPECT_THAT(last.notes, ElementsAre("tcp 0.0.0.0:80 goes from 172.26.1.5 to 172.26.1.9"));
  EXPECT_EQ(add("0.0.0.0", 80, vm_a), "") << "repeating it changes nothing";
  EXPECT_EQ(remove("0.0.0.0", 80, vm_b), "tcp 0.0.0.0:80 -> 172.26.1.5:80");
  add("0.0.0.0", 80, vm_b);
  EXPECT_EQ(remove("0.0.0.0", 80, vm_a), "") << "it did not have it any more";
  EXPECT_EQ(remove("0.0.0.0", 80, vm_b), "tcp 0.0.0.0:80 closed");
}

TEST_F(claim_table_test, a_removal_that_names_no_vm_is_understood_where_there_is_one) {
  add("0.0.0.0", 80, vm_a);
  add("0.0.0.0", 80, vm_b);
  EXPECT_EQ(remove("0.0.0.0", 80, {}), "");
  EXPECT_THAT(last.notes, ElementsAre(HasSubstr("several have it")));
  remove("0.0.0.0", 80, vm_b);
  EXPECT_EQ(remove("0.0.0.0", 80, {}), "tcp 0.0.0.0:80 closed");
}

TEST_F(claim_table_test, this_machine_is_no_vm) {
  EXPECT_EQ(add("0.0.0.0", 80, {at("127.0.0.1")}), "");
  EXPECT_THAT(last.notes, ElementsAre(HasSubstr("is this machine itself")));
  table = claim_table({.loopback_targets = true, .is_alive = [](const auto&) { return true; }});
  EXPECT_EQ(add("0.0.0.0", 80, {at("127.0.0.1")}), "tcp 0.0.0.0:80 -> 127.0.0.1:80");
}

TEST_F(claim_table_test, another_sender_that_names_the_same_address_removes_nothing) {
  add_as(first, 80, vm_a);
  EXPECT_EQ(remove_as(second, 80, vm_a), "");
  EXPECT_EQ(remove_as(second, 80, {}), "") << "nor by naming none";
  EXPECT_EQ(remove_as(first, 80, vm_a), "tcp 0.0.0.0:80 closed");
}

TEST_F(claim_table_test, another_sender_does_not_take_a_port_that_is_held) {
  add_as(first, 80, vm_a);
  EXPECT_EQ(add_as(second, 80, vm_b), "");
  EXPECT_THAT(last.notes, ElementsAre("tcp 0.0.0.0:80 of 172.26.1.9 waits: 172.26.1.5 has it"));
  for (int i = 20; i < 60; ++i) {
    const auto vm = fmt::format("172.26.1.{}", i);
    EXPECT_EQ(add_as(second, 80, {at(vm.c_str())}), "") << "nor by claiming it often";
  }
  EXPECT_EQ(add_as(second, 80, vm_a), "") << "nor by naming the holder's address";
  EXPECT_EQ(remove_as(second, 80, vm_a), "");
  EXPECT_EQ(remove_as(first, 80, vm_a), "tcp 0.0.0.0:80 -> 172.26.1.59:80");
}

TEST_F(claim_table_test, what_a_sender_that_has_ended_claimed_is_taken_over) {
  add_as(first, 80, vm_a);
  add_as(first, 81, vm_a);
  ended.insert(first);
  EXPECT_EQ(add_as(second, 80, vm_a), "") << "the same target: connections go on";
  ended.clear();
  EXPECT_EQ(remove_as(first, 80, vm_a), "") << "it is the second one's now";
  EXPECT_EQ(remove_as(second, 80, vm_a), "tcp 0.0.0.0:80 closed");
  ended.insert(first);
  EXPECT_EQ(add_as(second, 81, vm_b), "tcp 0.0.0.0:81 -> 172.26.1.9:81") << "the VM with its new address";
}

TEST_F(claim_table_test, one_sender_leaves_room_for_others) {
  table = claim_table(options(100));
  for (std::uint16_t port = 1; port <= 200; ++port) add_as(first, port, vm_a);
  EXPECT_LE(table.size(), 51U);
  EXPECT_EQ(add_as(second, 1'000, vm_b), "tcp 0.0.0.0:1000 -> 172.26.1.9:1000");
}

TEST_F(claim_table_test, an_address_that_is_no_vms_is_refused) {
  EXPECT_EQ(add("0.0.0.0", 80, {at("192.0.2.7")}), "");
  EXPECT_THAT(last.notes, ElementsAre("tcp 0.0.0.0:80 is refused: 192.0.2.7 is a third machine"));
  EXPECT_EQ(table.size(), 0U);
}

// A VM that removes nothing has another address after each start.
TEST_F(claim_table_test, the_oldest_of_many_claims_gives_way) {
  for (int i = 1; i <= 40; ++i) {
    const auto vm = fmt::format("172.26.1.{}", i);
    EXPECT_EQ(add("0.0.0.0", 80, {at(vm.c_str())}), fmt::format("tcp 0.0.0.0:80 -> {}:80", vm));
  }
  EXPECT_THAT(last.notes, ElementsAre("tcp 0.0.0.0:80 of 172.26.1.24 is dropped: 16 have come since",
                                      "tcp 0.0.0.0:80 goes from 172.26.1.39 to 172.26.1.40"));
  EXPECT_EQ(table.size(), 16U);
  EXPECT_EQ(remove("0.0.0.0", 80, {at("172.26.1.24")}), "");
  EXPECT_EQ(remove("0.0.0.0", 80, {at("172.26.1.25")}), "") << "it did not have it any more";
  EXPECT_EQ(table.size(), 15U);
}

TEST_F(claim_table_test, is_bounded) {
  table = claim_table(options(4));
  add("0.0.0.0", 80, vm_a);
  add("0.0.0.0", 81, vm_a);
  EXPECT_EQ(add("0.0.0.0", 82, vm_a), "");
  EXPECT_THAT(last.notes, ElementsAre(HasSubstr("too many")));
  remove("0.0.0.0", 80, vm_a);
  EXPECT_EQ(add("0.0.0.0", 82, vm_a), "tcp 0.0.0.0:82 -> 172.26.1.5:82");
  port_mapping::message many{.remove = false, .bindings = {}, .connect_addresses = vm_a};
  for (std::uint16_t port = 1000; port < 2000; ++port)
    many.bindings.push_back({net::protocol::udp, 80, {net::address::any_v4(), port}});
  EXPECT_THAT(table.apply(many, first).notes, SizeIs(8));
}

}  // namespace
}  // namespace privileged_service
