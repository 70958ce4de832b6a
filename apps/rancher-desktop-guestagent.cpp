// rancher-desktop-guestagent: has the ports that a container engine publishes in this VM forwarded to the outside. See
// src/programs/guest_agent.
#include "program/daemon.hpp"
#include "programs/guest_agent/guest_agent.hpp"

int main(int argc, char** argv) { return program::run<guest_agent::guest_agent>(argc, argv); }
