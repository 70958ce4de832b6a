// rancher-desktop-guestagent: has the ports that a container engine publishes in this VM forwarded to the outside.
#include "agent/wiring.hpp"

int main(int argc, char** argv) { return agent::run(argc, argv); }
