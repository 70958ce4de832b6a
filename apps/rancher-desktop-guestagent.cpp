// rancher-desktop-guestagent: has the ports that a container engine publishes in this VM forwarded to the outside. See
// src/agent.
#include "agent/guest_agent.hpp"

int main(int argc, char** argv) { return program::run<agent::guest_agent>(argc, argv); }
