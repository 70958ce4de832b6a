// privileged-service: opens on the host the ports that virtual machines publish. See src/privileged.
#include "privileged/privileged_service.hpp"

int main(int argc, char** argv) { return program::run<privileged::privileged_service>(argc, argv); }
